#pragma once

#include <memory>
#include <mutex>

#include "agent/ipfs/connector.h"
#include "agent/telemetry/sources.h"
#include "common/base/clock.h"

namespace ica::cmd {

// Numbers that Kubo has to be asked for, kept for the metrics, so that a scrape never waits for
// Kubo. Thread-safety: any thread.
class Gauges {
 public:
  explicit Gauges(std::shared_ptr<ipfs::Connector> connector) : connector_(std::move(connector)) {}

  telemetry::RepoValues repo() const;

  // Asks again and again until stopped. The size is cheap for Kubo and asked for often; to count
  // its objects it reads its whole index, so that is done seldom: at first, and then after a pause
  // of an hour or a hundred times what it took.
  static Task<void> poll(std::shared_ptr<Gauges> self, StopToken stop);

 private:
  Task<void> read_size(StopToken stop);
  Task<void> read_objects(StopToken stop);

  const std::shared_ptr<ipfs::Connector> connector_;
  SteadyTime objects_due_{};  // used by the poll only
  mutable std::mutex mutex_;
  telemetry::RepoValues repo_;
};

}  // namespace ica::cmd
