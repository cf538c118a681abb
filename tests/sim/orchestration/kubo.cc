#include "tests/sim/orchestration/kubo.h"

#include "tests/sim/orchestration/world.h"

namespace ica::sim::orchestration {
namespace {

// What a connector waits for a Kubo that makes no progress.
constexpr int kPatience = 45;
// Nobody in sight holds it: it comes from outside of the cluster, which takes longer.
constexpr int kFromOutside = 8;

tl::unexpected<Error> away() {
  return fail(Code::Unavailable, "connection refused");
}

}  // namespace

Task<Status> SimKubo::wait(const char* call, StopToken stop) {
  if (mood == Mood::Away) {
    co_return away();
  }
  (void)co_await world_.next_tick(stop);
  if (stop.stop_requested()) {
    co_return fail(Code::Cancelled, "cancelled");
  }
  if (mood == Mood::Fails) {
    ++world_.referee().counters.kubo_errors;
    co_return fail(Code::Internal, "IPFS error ({}). Code: 500. Message: boom", call);
  }
  co_return Status();
}

Task<Status> SimKubo::pin(api::Pin pin, std::function<void(ipfs::PinProgress)>, StopToken stop) {
  if (stop.stop_requested()) {
    co_return fail(Code::Cancelled, "cancelled");
  }
  world_.referee().pin_begun(peer_);
  int left = 1 + static_cast<int>(world_.below(3));
  for (int waited = 0; waited < kPatience; ++waited) {
    CO_TRY_VOID(co_await wait("pin/add", stop));
    if (mood == Mood::Hangs) {
      continue;
    }
    left -= world_.in_sight(peer_, pin.cid) || waited >= kFromOutside ? 1 : 0;
    if (left > 0) {
      continue;
    }
    if (repo_size() + kPinBytes > kCapacity) {
      co_return fail(Code::Internal, "IPFS error (pin/add). Code: 500. Message: no space left");
    }
    held.insert(pin.cid);
    co_return Status();
  }
  ++world_.referee().counters.kubo_hangs;
  co_return fail(Code::Timeout, "no progress");
}

Task<Status> SimKubo::unpin(Cid cid, StopToken stop) {
  if (stop.stop_requested()) {
    co_return fail(Code::Cancelled, "cancelled");
  }
  world_.referee().release_begun(peer_, cid);
  for (int waited = 0; waited < kPatience; ++waited) {
    CO_TRY_VOID(co_await wait("pin/rm", stop));
    if (mood == Mood::Well) {
      if (held.erase(cid) > 0) {
        world_.referee().released(peer_, cid);
      }
      co_return Status();
    }
  }
  co_return fail(Code::Timeout, "no answer");
}

Task<Result<ipfs::PinKind>> SimKubo::pin_status(Cid cid, api::PinMode, StopToken) {
  if (mood == Mood::Away) {
    co_return away();
  }
  co_return held.contains(cid) ? ipfs::PinKind::Recursive : ipfs::PinKind::Unpinned;
}

Task<Result<std::unique_ptr<ipfs::BatchStream<ipfs::ListedPin>>>> SimKubo::pin_ls(std::string type,
                                                                                  StopToken) {
  class List final : public ipfs::BatchStream<ipfs::ListedPin> {
   public:
    explicit List(std::vector<ipfs::ListedPin> pins) : pins_(std::move(pins)) {}
    Task<Result<std::vector<ipfs::ListedPin>>> next() override {
      co_return std::exchange(pins_, {});
    }

   private:
    std::vector<ipfs::ListedPin> pins_;
  };
  if (mood != Mood::Well) {
    co_return away();
  }
  std::vector<ipfs::ListedPin> pins;
  if (type == "recursive") {
    for (const Cid& cid : held) {
      pins.push_back({cid, ipfs::PinKind::Recursive});
    }
  }
  co_return std::make_unique<List>(std::move(pins));
}

Task<Result<ipfs::RepoStat>> SimKubo::repo_stat(StopToken) {
  if (mood != Mood::Well) {
    co_return away();
  }
  co_return ipfs::RepoStat{repo_size(), kCapacity};
}

}  // namespace ica::sim::orchestration
