#include "agent/tracker/row.h"

#include <algorithm>
#include <bit>

#include "common/codec/varint.h"

namespace ica::tracker {

namespace {

using api::TrackerStatus;

// What only a CID with a row can be, and is counted as while it has one.
constexpr std::array kUnsettled = {TrackerStatus::PinQueued, TrackerStatus::PinError,
                                   TrackerStatus::UnpinQueued, TrackerStatus::UnpinError,
                                   TrackerStatus::UnexpectedlyUnpinned};

// Varints hold 63 bits; everything stored here is far below that, and is cut rather than refused.
void put_number(Bytes& out, uint64_t value) {
  append_varint(out, std::min<uint64_t>(value, INT64_MAX));
}

void put_time(Bytes& out, int64_t nanos) {
  put_number(out, nanos < 0 ? 0 : static_cast<uint64_t>(nanos));
}

Result<int64_t> take_time(BytesView& in) {
  TRY(const uint64_t value, read_varint(in));
  return static_cast<int64_t>(value);
}

void put_fixed64(Bytes& out, uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>((value >> shift) & 0xff));
  }
}

uint64_t take_fixed64(BytesView& in) {
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i) {
    value = (value << 8) | static_cast<uint8_t>(in[static_cast<size_t>(i)]);
  }
  in.remove_prefix(8);
  return value;
}

uint64_t zigzag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
int64_t unzigzag(uint64_t value) {
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

}  // namespace

size_t status_index(TrackerStatus status) {
  const auto bits = static_cast<uint32_t>(status);
  return bits == 0 ? 0 : static_cast<size_t>(std::countr_zero(bits));
}

Bytes encode_row(const Row& row) {
  Bytes out;
  out.push_back(static_cast<char>(status_index(row.status)));
  out.push_back(static_cast<char>(row.lane));
  put_time(out, row.due);
  put_number(out, row.seq);
  put_time(out, row.since);
  // Most rows are queued for the first time and end here.
  if (row.attempts == 0 && row.error.empty() && row.reason == ipfs::Reason::None) {
    return out;
  }
  put_number(out, row.attempts);
  out.push_back(static_cast<char>(row.reason));
  put_number(out, row.progress.nodes);
  put_number(out, row.progress.bytes);
  out += row.error.substr(0, kMaxStoredError);
  return out;
}

Result<Row> decode_row(BytesView value) {
  Row row;
  if (value.size() < 2 || static_cast<uint8_t>(value[0]) >= kStatusKinds ||
      static_cast<uint8_t>(value[1]) >= kLanes) {
    return fail(Code::Corrupt, "status record is damaged");
  }
  row.status = static_cast<TrackerStatus>(1u << static_cast<uint8_t>(value[0]));
  row.lane = static_cast<Lane>(value[1]);
  value.remove_prefix(2);
  TRY(row.due, take_time(value));
  TRY(row.seq, read_varint(value));
  TRY(row.since, take_time(value));
  if (value.empty()) {
    return row;
  }
  TRY(const uint64_t attempts, read_varint(value));
  row.attempts = static_cast<uint32_t>(std::min<uint64_t>(attempts, UINT32_MAX));
  if (value.empty() ||
      static_cast<uint8_t>(value[0]) > static_cast<uint8_t>(ipfs::Reason::DiskFull)) {
    return fail(Code::Corrupt, "status record is damaged");
  }
  row.reason = static_cast<ipfs::Reason>(value[0]);
  value.remove_prefix(1);
  TRY(row.progress.nodes, read_varint(value));
  TRY(row.progress.bytes, read_varint(value));
  row.error = value;
  return row;
}

Bytes encode_queue_key(const QueueKey& key) {
  Bytes out;
  out.push_back(static_cast<char>(key.lane));
  put_fixed64(out, key.due < 0 ? 0 : static_cast<uint64_t>(key.due));
  put_fixed64(out, key.seq);
  return out;
}

Result<QueueKey> decode_queue_key(BytesView key) {
  if (key.size() != 17 || static_cast<uint8_t>(key[0]) >= kLanes) {
    return fail(Code::Corrupt, "queue record is damaged");
  }
  QueueKey result;
  result.lane = static_cast<Lane>(key[0]);
  key.remove_prefix(1);
  result.due = static_cast<int64_t>(take_fixed64(key));
  result.seq = take_fixed64(key);
  return result;
}

Bytes by_status_prefix(TrackerStatus status) {
  return Bytes(1, static_cast<char>(status_index(status)));
}

Bytes by_status_key(TrackerStatus status, const Cid& cid) {
  return by_status_prefix(status) + cid.bytes();
}

bool is_unsettled(TrackerStatus status) {
  return std::find(kUnsettled.begin(), kUnsettled.end(), status) != kUnsettled.end();
}

int64_t unsettled(const Tally& tally) {
  int64_t rows = 0;
  for (const TrackerStatus status : kUnsettled) {
    rows += tally.by_status[status_index(status)];
  }
  return rows;
}

Bytes encode_tally(const Tally& tally) {
  Bytes out;
  put_number(out, tally.seq);
  for (const int64_t n : tally.by_status) {
    put_number(out, zigzag(n));
  }
  return out;
}

Result<Tally> decode_tally(BytesView value) {
  Tally tally;
  TRY(tally.seq, read_varint(value));
  for (int64_t& n : tally.by_status) {
    TRY(const uint64_t raw, read_varint(value));
    n = unzigzag(raw);
  }
  return tally;
}

TrackerStatus settled_status(const api::Pin& pin, const PeerId& self) {
  if (pin.type == api::PinType::Meta) {
    return TrackerStatus::Sharded;
  }
  return pin.allocated_to(self) ? TrackerStatus::Pinned : TrackerStatus::Remote;
}

}  // namespace ica::tracker
