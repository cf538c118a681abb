#include "agent/crdt/state_file.h"

#include <istream>
#include <ostream>
#include <unordered_set>

namespace ica::crdt {

using store::Family;

namespace {

constexpr size_t kPiece = 256 << 10;
constexpr size_t kImportGroup = 4096;

// All but Meta and the tracker's own view of Kubo, which is renewed anyway.
constexpr Family kDerived[] = {Family::Blocks,   Family::Elems,  Family::Tombs,  Family::Heads,
                               Family::Work,     Family::Pins,   Family::ByPeer, Family::ByExpiry,
                               Family::ByStatus, Family::ByName, Family::Status, Family::Queue};

// Calls `take` with the pins of the file, group by group.
Status read_all(std::istream& in, const std::function<Status(std::vector<api::Pin>)>& take) {
  StateReader reader;
  std::string piece(kPiece, '\0');
  while (in) {
    in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    TRY(auto pins,
        reader.feed(std::string_view(piece).substr(0, static_cast<size_t>(in.gcount()))));
    TRY_VOID(take(std::move(pins)));
  }
  if (!in.eof()) {
    return fail(Code::Io, "reading the state file failed");
  }
  TRY(auto last, reader.finish());
  return take(std::move(last));
}

}  // namespace

StateExporter::StateExporter(const store::Store& store, store::SnapshotPtr snapshot)
    : snapshot_(std::move(snapshot)), cursor_(store.cursor(Family::Pins, {}, snapshot_)) {
  cursor_->seek_first();
}

Result<std::string> StateExporter::next(size_t bytes) {
  std::string out;
  for (; cursor_->valid() && out.size() < bytes; cursor_->next()) {
    TRY(const auto cid, Cid::from_bytes(cursor_->key()).context("a key of the pinset"));
    TRY(const auto pin, pin_of_record(cid, cursor_->value()));
    out += api::to_json(pin);
    out += '\n';
    ++pins_;
  }
  TRY_VOID(cursor_->status());
  return out;
}

Status StateReader::line(std::string_view text, std::vector<api::Pin>& out) {
  ++line_;
  if (text.find_first_not_of(" \t\r") == text.npos) {
    return {};
  }
  auto pin = api::pin_from_json(text);
  if (!pin) {
    return fail(Code::InvalidArgument, "line {} of the state file: {}", line_,
                pin.error().message());
  }
  if (!pin->cid.defined()) {
    return fail(Code::InvalidArgument, "line {} of the state file has no CID", line_);
  }
  out.push_back(*std::move(pin));
  return {};
}

Result<std::vector<api::Pin>> StateReader::feed(std::string_view piece) {
  std::vector<api::Pin> out;
  for (size_t end = piece.find('\n'); end != piece.npos; end = piece.find('\n')) {
    rest_ += piece.substr(0, end);
    piece.remove_prefix(end + 1);
    TRY_VOID(line(rest_, out));
    rest_.clear();
  }
  if (rest_.size() + piece.size() > kMaxLine) {
    return fail(Code::TooLarge, "line {} of the state file is longer than {} bytes", line_ + 1,
                kMaxLine);
  }
  rest_ += piece;
  return out;
}

Result<std::vector<api::Pin>> StateReader::finish() {
  std::vector<api::Pin> out;
  if (!rest_.empty()) {
    TRY_VOID(line(rest_, out));
    rest_.clear();
  }
  return out;
}

Result<uint64_t> export_state(const store::Store& store, std::ostream& out) {
  StateExporter exporter(store, store.snapshot());
  for (;;) {
    TRY(const auto piece, exporter.next(kPiece));
    if (piece.empty()) {
      break;
    }
    out.write(piece.data(), static_cast<std::streamsize>(piece.size()));
  }
  out.flush();
  if (!out) {
    return fail(Code::Io, "writing the state file failed");
  }
  return exporter.pins();
}

Result<ImportReport> import_state(store::Store& store, std::istream& in,
                                  const ImportOptions& options) {
  const auto start = in.tellg();
  TRY_VOID(read_all(in, [](const auto&) -> Status { return {}; }));
  in.clear();
  in.seekg(start);
  if (!in) {
    return fail(Code::Io, "the state file cannot be read a second time");
  }
  const bool from_nothing = !options.merge;
  if (from_nothing && !options.dry_run) {
    TRY_VOID(cleanup_state(store));
  }
  TRY(auto replica, Replica::open(store));
  ImportReport report;
  std::map<Bytes, LocalOp> group;  // by key: the last line on a CID counts
  const auto write = [&]() -> Status {
    if (options.dry_run) {
      group.clear();
      return {};
    }
    std::vector<LocalOp> ops;
    ops.reserve(group.size());
    for (auto& [key, op] : group) {
      ops.push_back(std::move(op));
    }
    group.clear();
    TRY_VOID(replica->write(ops));
    return {};
  };
  TRY_VOID(read_all(in, [&](std::vector<api::Pin> pins) -> Status {
    for (auto& pin : pins) {
      if (options.change) {
        options.change(pin);
      }
      ++report.read;
      Bytes value = api::encode_pin(pin);
      std::optional<Bytes> present;
      if (!from_nothing || options.dry_run) {
        TRY(const auto record, store.get(Family::Pins, pin.cid.bytes()));
        if (record) {
          TRY(auto current, decode_current(*record));
          present = std::move(current.value);
        }
      }
      if (present && *present == value) {
        ++report.unchanged;
        continue;
      }
      if (present && options.merge) {
        ++report.kept;
        continue;
      }
      report.added += present ? 0 : 1;
      Bytes key = pack_key(pin.cid);
      group[key] = {key, std::move(value)};
      if (group.size() >= kImportGroup) {
        TRY_VOID(write());
      }
    }
    return {};
  }));
  TRY_VOID(write());
  return report;
}

Status cleanup_state(store::Store& store) {
  store::Batch batch;
  for (const Family family : kDerived) {
    auto cursor = store.cursor(family);
    cursor->seek_last();
    if (cursor->valid()) {
      batch.del_range(family, {}, Bytes(cursor->key()) + '\0');
    }
    TRY_VOID(cursor->status());
  }
  batch.del(Family::Meta, kTotalsKey);
  TRY_VOID(store.commit(std::move(batch), store::Sync::Yes));
  for (const Family family : kDerived) {
    TRY_VOID(store.compact(family));
  }
  return {};
}

}  // namespace ica::crdt
