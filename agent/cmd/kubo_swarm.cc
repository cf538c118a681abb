#include "agent/cmd/kubo_swarm.h"

#include <algorithm>

#include "common/base/log.h"

namespace ica::cmd {
namespace {

constexpr Duration kIdLimit = std::chrono::seconds(10);
// Peers that are met come several at a time.
constexpr Duration kSettle = std::chrono::seconds(1);
// Their Kubos may be starting.
constexpr Duration kRetryMin = std::chrono::seconds(2);
constexpr Duration kRetryMax = std::chrono::seconds(15);
constexpr int kPatience = 2;  // rounds for the other side to dial

}  // namespace

KuboSwarm::KuboSwarm(Parts parts, Duration period, const Executor& strand)
    : parts_(std::move(parts)), period_(period), met_(strand) {}

void KuboSwarm::met(const PeerId& peer) {
  kubos_.erase(peer);
  left_to_them_.erase(peer);
  met_.notify_all();
}

Task<void> KuboSwarm::run(KuboSwarm* self, StopToken stop) {
  Duration again = kRetryMin;
  while (self->period_.count() > 0 && !stop.stop_requested()) {
    const bool all = co_await connect_all(self, stop);
    const Duration wait = all ? self->period_ : std::min(again, self->period_);
    again = all ? kRetryMin : std::min(again * 2, kRetryMax);
    const bool met = co_await self->met_.wait(wait, stop);
    if (met) {
      const Status slept = co_await sleep_for(std::min(kSettle, self->period_), stop);
      (void)slept;
    }
  }
}

Task<bool> KuboSwarm::connect_all(KuboSwarm* self, StopToken stop) {
  if (!self->parts_.connector.reachable()) {
    co_return false;
  }
  auto listed = co_await self->parts_.connector.swarm_peers(stop);
  if (!listed) {
    co_return false;
  }
  const std::set<PeerId> swarm(listed->begin(), listed->end());
  std::erase_if(self->linked_, [&](const PeerId& kubo) { return !swarm.contains(kubo); });
  bool all = true;
  const size_t before = self->linked_.size();
  const std::vector<PeerId> near = self->parts_.near();
  for (const PeerId& peer : near) {
    if (stop.stop_requested()) {
      break;
    }
    const bool done = co_await connect_one(self, peer, &swarm, stop);
    all = all && done;
  }
  if (self->linked_.size() > before) {
    self->parts_.linked();
  }
  co_return all;
}

void KuboSwarm::connected(const PeerId& peer, const PeerId& kubo) {
  linked_.insert(kubo);
  left_to_them_.erase(peer);
}

Task<bool> KuboSwarm::connect_one(KuboSwarm* self, PeerId peer, const std::set<PeerId>* swarm,
                                  StopToken stop) {
  const auto known = self->kubos_.find(peer);
  if (known != self->kubos_.end() && known->second.empty()) {
    co_return true;
  }
  if (known != self->kubos_.end() && swarm->contains(known->second)) {
    self->connected(peer, known->second);
    co_return true;
  }
  auto id = co_await self->parts_.peers.id(peer, kIdLimit, stop);
  if (!id && id.error().code() == Code::PermissionDenied) {
    self->kubos_[peer] = PeerId();
    co_return true;
  }
  if (!id || !id->ipfs.error.empty() || id->ipfs.id.empty()) {
    co_return false;
  }
  const PeerId kubo = id->ipfs.id;
  self->kubos_[peer] = kubo;
  if (swarm->contains(kubo)) {  // theirs was told of ours
    self->connected(peer, kubo);
    co_return true;
  }
  if (peer < self->parts_.self && self->left_to_them_[peer]++ < kPatience) {
    co_return false;
  }
  for (const Multiaddr& address : id->ipfs.addresses.items) {
    const Status connected = co_await self->parts_.connector.swarm_connect(address, stop);
    if (connected) {
      self->connected(peer, kubo);
      co_return true;
    }
    log_debug("ipfshttp", "swarm connect {}: {}", address, connected.error().message());
  }
  co_return false;
}

}  // namespace ica::cmd
