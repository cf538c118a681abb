#pragma once

#include <set>

#include "tests/unit/cluster/fakes.h"

namespace ica::sim::orchestration {

class World;

// A Kubo in memory under virtual time: it takes seconds, hangs, fails, goes away, forgets, fills
// up. What it holds survives the death of its peer.
class SimKubo final : public test::FakeKubo {
 public:
  enum class Mood { Well, Hangs, Fails, Away };
  static constexpr uint64_t kPinBytes = 1 << 20;
  static constexpr uint64_t kCapacity = 200 * kPinBytes;

  SimKubo(World& world, size_t peer) : world_(world), peer_(peer) {}

  Mood mood = Mood::Well;
  uint64_t other_data = 0;  // bytes of its disk that no pin takes
  std::set<Cid> held;

  Task<Status> pin(api::Pin pin, std::function<void(ipfs::PinProgress)> on_progress,
                   StopToken stop) override;
  Task<Status> unpin(Cid cid, StopToken stop) override;
  Task<Result<ipfs::PinKind>> pin_status(Cid cid, api::PinMode mode, StopToken stop) override;
  Task<Result<std::unique_ptr<ipfs::BatchStream<ipfs::ListedPin>>>> pin_ls(std::string type,
                                                                           StopToken stop) override;
  Task<Result<ipfs::RepoStat>> repo_stat(StopToken stop) override;
  bool reachable() const override { return mood != Mood::Away; }
  uint64_t repo_size() const { return other_data + held.size() * kPinBytes; }

 private:
  // A second of a call; an error when the call ends with it.
  Task<Status> wait(const char* call, StopToken stop);

  World& world_;
  const size_t peer_;
};

}  // namespace ica::sim::orchestration
