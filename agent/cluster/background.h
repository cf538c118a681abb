#pragma once

#include <memory>

#include "agent/cluster/cluster.h"
#include "agent/monitor/informer.h"

namespace ica::cluster {

// What a peer does by itself: tells its metrics once its Kubo has answered for the first time,
// watches other peers' metrics, removes expired pins, compares with Kubo and retries failed pins.
// Thread-safety: start once, then stop once.
class Background {
 public:
  // `parts` as for the Cluster; `send` gives metrics to the other peers and may be empty.
  Background(Parts parts, Cluster& cluster, monitor::Publisher::Send send);
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  void start(Executor executor);
  // Ends when all loops have.
  Task<void> stop();
  // Whether Kubo has answered since the start.
  bool ready() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ica::cluster
