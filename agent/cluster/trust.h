#pragma once

#include <memory>
#include <mutex>
#include <set>

#include "agent/config/config.h"

namespace ica::cluster {

// Which peers may change the pinset and call trusted methods: all, or those named, and always this
// one. Thread-safety: any thread.
class Trust {
 public:
  Trust(PeerId self, const config::TrustedPeers& peers) : self_(std::move(self)) { set(peers); }

  bool trusts(const PeerId& peer) const {
    const std::lock_guard lock(mutex_);
    return all_ || peer == self_ || peers_.contains(peer);
  }
  void set(const config::TrustedPeers& peers) {
    const std::lock_guard lock(mutex_);
    all_ = peers.all;
    peers_ = {peers.peers.begin(), peers.peers.end()};
  }

 private:
  const PeerId self_;
  mutable std::mutex mutex_;
  bool all_ = false;
  std::set<PeerId> peers_;
};

}  // namespace ica::cluster
