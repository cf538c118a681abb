#include "agent/cmd/set_aside.h"

#include <cerrno>
#include <fstream>
#include <sstream>

#include "agent/cmd/peer_state.h"
#include "agent/cmd/recover.h"
#include "agent/crdt/records.h"
#include "agent/crdt/state_file.h"
#include "common/base/log.h"
#include "common/base/system_words.h"
#include "common/codec/pbwire.h"

namespace ica::cmd {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMark = "LEFT_BEHIND";
constexpr size_t kPage = 1000;

struct Mark {
  crdt::Epoch theirs;
  std::vector<Cid> own;
};

Result<Mark> read_mark(BytesView text) {
  Mark mark;
  PbReader in(text);
  while (in.next()) {
    if (in.field() == 1) {
      TRY(mark.theirs, crdt::decode_epoch(in.bytes()));
    } else if (in.field() == 2) {
      TRY(auto cid, Cid::from_bytes(in.bytes()));
      mark.own.push_back(std::move(cid));
    }
  }
  TRY_VOID(in.status());
  return mark;
}

Status write_file(const fs::path& path, BytesView content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << content;
  file.close();
  if (!file) {
    return fail(Code::Io, "writing {}: {}", path.string(), system_words(errno));
  }
  return {};
}

// A name that is not taken.
fs::path free_name(const fs::path& folder, uint64_t number) {
  std::error_code ignored;
  fs::path out = fmt::format("{}.before-{}", folder.string(), number);
  for (int again = 2; fs::exists(out, ignored); ++again) {
    out = fmt::format("{}.before-{}.{}", folder.string(), number, again);
  }
  return out;
}

Result<uint64_t> export_to(const store::Store& store, const fs::path& path) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  if (!file) {
    return fail(Code::Io, "writing {}: {}", path.string(), system_words(errno));
  }
  return crdt::export_state(store, file);
}

// The pins that nobody but this peer has written, as they are. On the state executor of `to`.
Result<uint64_t> take_over(const crdt::Replica& from, const Mark& mark, crdt::Replica& to) {
  TRY_VOID(to.set_epoch(mark.theirs));
  uint64_t taken = 0;
  std::vector<crdt::LocalOp> ops;
  for (size_t i = 0; i < mark.own.size(); ++i) {
    TRY(const auto pin, from.get(mark.own[i], nullptr));
    if (pin) {
      ops.push_back({crdt::pack_key(pin->cid), api::encode_pin(*pin)});
      ++taken;
    }
    if (ops.size() == kPage || i + 1 == mark.own.size()) {
      TRY_VOID(to.write(std::exchange(ops, {})));
    }
  }
  return taken;
}

}  // namespace

Status mark_left_behind(const fs::path& folder, const crdt::Epoch& theirs,
                        const std::vector<Cid>& own) {
  Bytes out;
  PbWriter writer(out);
  writer.bytes(1, crdt::encode_epoch(theirs));
  for (const Cid& cid : own) {
    writer.bytes(2, cid.bytes());
  }
  return write_file(folder / kMark, out);
}

Status set_aside_if_left_behind(const fs::path& folder, const config::Config& config,
                                const PeerId& self) {
  std::ifstream file(folder / kMark, std::ios::binary);
  if (!file) {
    return {};
  }
  std::stringstream text;
  text << file.rdbuf();
  TRY(const Mark mark, read_mark(text.str()));
  const fs::path aside = free_name(folder, mark.theirs.number);
  const fs::path fresh = folder.string() + ".anew";
  const fs::path exported = aside.string() + ".json";
  std::error_code error;
  fs::remove_all(fresh, error);
  uint64_t pins = 0;
  uint64_t taken = 0;
  {
    TRY(const auto old,
        store::Store::open({.path = folder, .memory_budget = config.agent.memory_budget}));
    TRY(const auto replica, crdt::Replica::open(*old));
    TRY(pins, export_to(*old, exported));
    TRY_VOID(fill_database(fresh, config, self, [&](PeerState& state) -> Status {
      TRY(taken, take_over(*replica, mark, *state.replica));
      return {};
    }));
  }
  fs::remove(folder / kMark, error);
  fs::rename(folder, aside, error);
  if (!error) {
    fs::rename(fresh, folder, error);
  }
  if (error) {
    return fail(Code::Io, "setting the database aside: {}", error.message());
  }
  log_warn("crdt",
           "the other peers began the history of the pinset anew while this peer was away, and it "
           "has changes that they do not know: its pinset ({} pins) is in {}, its database in {}. "
           "{} pins that only this peer has written are taken over, the rest comes from the others",
           pins, exported.string(), aside.string(), taken);
  return {};
}

}  // namespace ica::cmd
