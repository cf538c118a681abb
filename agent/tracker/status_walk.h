#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "agent/tracker/pin_tracker.h"

namespace ica::tracker {

// A walk over local statuses in CID order from one snapshot. Filters that select a minority go
// through the index by status and cost what they return; the others walk the pinset beside the
// rows. Memory: one page. Thread-safety: none; any thread.
class StatusWalk final : public StatusCursor {
 public:
  StatusWalk(std::shared_ptr<const PinTracker> tracker, api::StatusFilter filter,
             store::SnapshotPtr snapshot = nullptr);
  ~StatusWalk() override;

  Result<std::vector<TrackedPin>> next(size_t limit) override;

  // Records read or stepped over so far.
  uint64_t rows_visited() const { return visited_; }
  bool uses_index() const { return !whole_pinset_; }

 private:
  struct Source {
    std::unique_ptr<store::Cursor> cursor;
    BytesView head() const { return cursor->key().substr(1); }
  };

  Result<std::vector<TrackedPin>> next_from_pinset(size_t limit);
  Result<std::vector<TrackedPin>> next_from_index(size_t limit);
  Result<std::optional<Cid>> next_indexed();
  void read_rows(const std::vector<api::Pin>& pins);
  // The row of a CID of the page; CIDs come in ascending order, so this is a step or two of one
  // cursor.
  Result<std::optional<Row>> row_beside(const Cid& cid);
  RunningPtr running_for(const Cid& cid) const;

  const std::shared_ptr<const PinTracker> tracker_;
  const api::StatusFilter filter_;
  const bool in_pinset_only_;
  bool whole_pinset_ = true;
  bool all_settled_ = false;         // the snapshot has no unsettled row
  std::vector<RunningPtr> running_;  // by CID
  store::SnapshotPtr snapshot_;
  std::unique_ptr<store::Cursor> rows_;  // beside the page
  Cid after_;
  bool ended_ = false;
  std::vector<Source> sources_;
  size_t next_running_ = 0;
  uint64_t visited_ = 0;
};

}  // namespace ica::tracker
