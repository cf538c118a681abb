#pragma once

#include <atomic>
#include <memory>

#include "agent/ipfs/connector.h"

namespace ica::cmd {

// Asks Kubo who it is every few seconds and gives it only a few seconds to answer: readiness has to
// notice a Kubo that hangs long before the timeouts of ordinary requests. Thread-safety: answers()
// from any thread.
class KuboProbe {
 public:
  static constexpr Duration kPeriod = std::chrono::seconds(5);
  static constexpr Duration kPatience = std::chrono::seconds(5);

  explicit KuboProbe(std::shared_ptr<ipfs::Connector> connector)
      : connector_(std::move(connector)) {}

  // Whether the last question was answered in time; false before the first.
  bool answers() const { return answers_.load(); }
  // Goes on until `stop`.
  static Task<void> run(std::shared_ptr<KuboProbe> self, StopToken stop);

 private:
  const std::shared_ptr<ipfs::Connector> connector_;
  std::atomic<bool> answers_{false};
};

}  // namespace ica::cmd
