#pragma once

#include <array>
#include <optional>
#include <string>

#include "agent/ipfs/connector.h"
#include "agent/tracker/tracker.h"
#include "common/api/status.h"

// Records of the tracker: families Status, ByStatus, Queue, IpfsPins and one of Meta, as
// docs/tracking.md describes them. Pure functions.
namespace ica::tracker {

// Where a queued operation waits. The order of the values is the order on disk.
enum class Lane : uint8_t {
  None = 0,       // not queued
  Fresh = 1,      // young pins before their first try
  Retry = 2,      // young pins that failed a few times
  Old = 3,        // the other pins
  PinAwaits = 4,  // pins that could not be tried because Kubo was away
  Unpin = 5,
  UnpinAwaits = 6,
};
inline constexpr size_t kLanes = 7;

// What is known of a CID beyond its pin. A CID that is settled has no row: it is pinned when
// allocated here, else remote, sharded or unpinned.
struct Row {
  // PinQueued, PinError or UnexpectedlyUnpinned: to pin. Others: to unpin; Remote and Sharded when
  // the pin is still in the pinset.
  api::TrackerStatus status = api::TrackerStatus::PinQueued;
  Lane lane = Lane::None;
  int64_t due = 0;    // UNIX nanoseconds: not before
  uint64_t seq = 0;   // of the operation; unique
  int64_t since = 0;  // UNIX nanoseconds: last change of phase
  uint32_t attempts = 0;
  ipfs::Reason reason = ipfs::Reason::None;
  ipfs::PinProgress progress;
  std::string error;

  bool to_pin() const {
    return status == api::TrackerStatus::PinQueued || status == api::TrackerStatus::PinError ||
           status == api::TrackerStatus::UnexpectedlyUnpinned;
  }
};
inline constexpr size_t kMaxStoredError = 1024;
inline constexpr std::string_view kUnexpectedlyUnpinned = "the item should be pinned but it is not";

Bytes encode_row(const Row& row);
Result<Row> decode_row(BytesView value);

// lane, due, seq: ordered as they are to be worked off. The value is the CID.
struct QueueKey {
  Lane lane = Lane::None;
  int64_t due = 0;
  uint64_t seq = 0;
};
Bytes encode_queue_key(const QueueKey& key);
Result<QueueKey> decode_queue_key(BytesView key);
inline QueueKey queue_key(const Row& row) {
  return {row.lane, row.due, row.seq};
}

// The position of a status's bit; keys of ByStatus start with it.
inline constexpr size_t kStatusKinds = 13;
size_t status_index(api::TrackerStatus status);
Bytes by_status_prefix(api::TrackerStatus status);
Bytes by_status_key(api::TrackerStatus status, const Cid& cid);

// Whether a row with this status makes a difference to what is shown. One that only has Kubo let go
// of a pin that others hold (Remote, Sharded) looks like none.
bool is_unsettled(api::TrackerStatus status);

// Numbers that are kept so that no start has to count.
struct Tally {
  uint64_t seq = 0;  // the highest given out
  std::array<int64_t, kStatusKinds> by_status{};

  void add(api::TrackerStatus status, int64_t n) { by_status[status_index(status)] += n; }
};
// How many unsettled rows are counted.
int64_t unsettled(const Tally& tally);
Bytes encode_tally(const Tally& tally);
Result<Tally> decode_tally(BytesView value);

// The status of a pin that nothing is known of beyond the pin.
api::TrackerStatus settled_status(const api::Pin& pin, const PeerId& self);

}  // namespace ica::tracker
