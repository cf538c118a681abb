#include "agent/tracker/status_walk.h"

#include <algorithm>

namespace ica::tracker {

namespace {

using api::StatusFilter;
using api::TrackerStatus;
using store::Family;

constexpr StatusFilter bit(TrackerStatus status) {
  return static_cast<StatusFilter>(status);
}

// As in the reference: asking for one of these walks the pinset, and what is not in it any more (an
// unpin that still runs) is not listed.
constexpr StatusFilter kPinsetStatuses = bit(TrackerStatus::Pinned) |
                                         bit(TrackerStatus::UnexpectedlyUnpinned) |
                                         bit(TrackerStatus::Sharded) | bit(TrackerStatus::Remote);

// Statuses that the index can hold.
constexpr std::array kIndexed = {TrackerStatus::PinError,  TrackerStatus::UnpinError,
                                 TrackerStatus::Pinned,    TrackerStatus::Remote,
                                 TrackerStatus::PinQueued, TrackerStatus::UnpinQueued,
                                 TrackerStatus::Sharded,   TrackerStatus::UnexpectedlyUnpinned};

constexpr int kStepsBeforeSeek = 4;
constexpr size_t kPage = 1024;

}  // namespace

StatusWalk::StatusWalk(std::shared_ptr<const PinTracker> tracker, StatusFilter filter,
                       store::SnapshotPtr snapshot)
    : tracker_(std::move(tracker)),
      filter_(filter),
      in_pinset_only_(filter == 0 || (filter & kPinsetStatuses) != 0),
      running_(tracker_->all_running()),
      snapshot_(std::move(snapshot)) {
  if (!snapshot_) {
    const uint64_t before = tracker_->settled_.before();
    snapshot_ = tracker_->store_.snapshot();
    all_settled_ = tracker_->settled_.held_since(before);
  }
  std::sort(running_.begin(), running_.end(),
            [](const RunningPtr& a, const RunningPtr& b) { return a->cid < b->cid; });
  if (filter == 0) {
    return;
  }
  const TrackerCounts counts = tracker_->counts();
  uint64_t selected = 0;
  selected += (filter & bit(TrackerStatus::Pinned)) != 0 ? counts.pinned : 0;
  selected += (filter & bit(TrackerStatus::Remote)) != 0 ? counts.remote : 0;
  // A record through the index costs about four times one of a walk.
  if (selected > (counts.pinned + counts.remote) / 4) {
    return;
  }
  whole_pinset_ = false;
  for (const TrackerStatus status : kIndexed) {
    if ((filter & bit(status)) != 0) {
      sources_.push_back(
          {tracker_->store_.cursor(Family::ByStatus, by_status_prefix(status), snapshot_)});
      sources_.back().cursor->seek_first();
      ++visited_;
    }
  }
}

StatusWalk::~StatusWalk() = default;

Result<std::vector<TrackedPin>> StatusWalk::next(size_t limit) {
  if (ended_ || limit == 0) {
    return std::vector<TrackedPin>();
  }
  auto page = whole_pinset_ ? next_from_pinset(limit) : next_from_index(limit);
  ended_ = !page || page->empty();
  return page;
}

RunningPtr StatusWalk::running_for(const Cid& cid) const {
  const auto it = std::lower_bound(running_.begin(), running_.end(), cid,
                                   [](const RunningPtr& op, const Cid& c) { return op->cid < c; });
  return it != running_.end() && (*it)->cid == cid ? *it : nullptr;
}

// Rows of pins that are done are deleted, so beside a large pinset there may be hardly any row but
// a great many traces of deleted ones: a cursor over all would step over them before the first
// answer. This one sees only what stands beside a page.
void StatusWalk::read_rows(const std::vector<api::Pin>& pins) {
  rows_ = tracker_->store_.range(Family::Status, pins.front().cid.bytes(), pins.back().cid.bytes(),
                                 snapshot_);
  rows_->seek_first();
  visited_ += rows_->valid() ? 1 : 0;
}

Result<std::optional<Row>> StatusWalk::row_beside(const Cid& cid) {
  const Bytes& key = cid.bytes();
  for (int step = 0; rows_->valid() && rows_->key() < key; ++step, ++visited_) {
    if (step < kStepsBeforeSeek) {
      rows_->next();
    } else {
      rows_->seek(key);
    }
  }
  if (!rows_->valid()) {
    TRY_VOID(rows_->status());
    return std::optional<Row>();
  }
  if (rows_->key() != key) {
    return std::optional<Row>();
  }
  TRY(Row row, decode_row(rows_->value()).context("status record {}", cid));
  return std::optional<Row>(std::move(row));
}

Result<std::vector<TrackedPin>> StatusWalk::next_from_pinset(size_t limit) {
  std::vector<TrackedPin> result;
  while (result.empty()) {
    TRY(auto pins, tracker_->pinset_.page(after_, std::min(limit, kPage), snapshot_));
    if (pins.empty()) {
      return result;
    }
    after_ = pins.back().cid;
    visited_ += pins.size();
    if (!all_settled_) {
      read_rows(pins);
    }
    if (filter_ == 0) {
      result.reserve(pins.size());
    }
    for (api::Pin& pin : pins) {
      if (all_settled_) {
        result.push_back(tracker_->compose_settled(std::move(pin)));
      } else {
        const Cid cid = pin.cid;
        TRY(const auto row, row_beside(cid));
        result.push_back(tracker_->compose(cid, std::move(pin), row, running_for(cid)));
      }
      if (!api::matches(filter_, result.back().local.status)) {
        result.pop_back();
      }
    }
  }
  return result;
}

// The least CID that any source stands at; every source that stands there moves on.
Result<std::optional<Cid>> StatusWalk::next_indexed() {
  BytesView least;
  for (const Source& source : sources_) {
    if (!source.cursor->valid()) {
      TRY_VOID(source.cursor->status());
    } else if (least.empty() || source.head() < least) {
      least = source.head();
    }
  }
  // Operations in flight are shown under another status than the one that they are indexed by.
  if (next_running_ < running_.size() &&
      (least.empty() || running_[next_running_]->cid.bytes() <= least)) {
    least = running_[next_running_]->cid.bytes();
  }
  if (least.empty()) {
    return std::optional<Cid>();
  }
  TRY(Cid cid, Cid::from_bytes(least).context("index by status"));
  for (Source& source : sources_) {
    if (source.cursor->valid() && source.head() == cid.bytes()) {
      source.cursor->next();
      ++visited_;
    }
  }
  while (next_running_ < running_.size() && running_[next_running_]->cid <= cid) {
    ++next_running_;
  }
  return std::optional<Cid>(std::move(cid));
}

Result<std::vector<TrackedPin>> StatusWalk::next_from_index(size_t limit) {
  std::vector<TrackedPin> result;
  while (result.size() < limit) {
    TRY(const auto cid, next_indexed());
    if (!cid) {
      break;
    }
    visited_ += 2;
    TRY(auto pin, tracker_->pinset_.get(*cid, snapshot_));
    const bool present = pin.has_value();
    TRY(const auto value, tracker_->store_.get(Family::Status, cid->bytes(), snapshot_));
    std::optional<Row> row;
    if (value) {
      TRY(row, decode_row(*value).context("status record {}", *cid));
    }
    if (!row && !present) {
      continue;  // its last operation ended just before the snapshot
    }
    TrackedPin tracked = tracker_->compose(*cid, std::move(pin), row, running_for(*cid));
    if ((present || !in_pinset_only_) && api::matches(filter_, tracked.local.status)) {
      result.push_back(std::move(tracked));
    }
  }
  return result;
}

}  // namespace ica::tracker
