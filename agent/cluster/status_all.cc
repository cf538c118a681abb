// Statuses of everything: as they are here, and merged with those of the other peers.
#include <boost/asio/experimental/concurrent_channel.hpp>

#include "agent/cluster/core.h"
#include "agent/cluster/merge.h"
#include "common/base/async.h"
#include "common/base/log.h"
#include "common/base/read_ahead.h"

namespace ica::cluster {
namespace {

constexpr size_t kFirstPage = 32;
constexpr size_t kPage = 256;
constexpr uint32_t kNeedsKubo = static_cast<uint32_t>(api::TrackerStatus::Pinned) |
                                static_cast<uint32_t>(api::TrackerStatus::UnexpectedlyUnpinned);

// With Kubo away nobody knows whether it still holds what the index says, so questions about pinned
// things fail in the reference's words. While Kubo answers this costs nothing.
Task<Status> check_kubo(CorePtr core, api::StatusFilter filter, StopToken stop) {
  ipfs::Connector& kubo = core->parts.connector;
  if ((filter != 0 && (filter & kNeedsKubo) == 0) || kubo.reachable()) {
    co_return Status();
  }
  auto id = co_await kubo.id(stop);
  if (id) {
    co_return Status();
  }
  auto list = co_await kubo.pin_ls("recursive", stop);
  if (list) {
    co_return Status();
  }
  co_return fail(std::move(list.error()).with_context("could not get pinset from IPFS"));
}

using TrackedPage = Result<std::vector<tracker::TrackedPin>>;

// This peer's statuses from the tracker's index, read on a disk thread.
class TrackedStream final : public Stream<tracker::TrackedPin> {
 public:
  TrackedStream(CorePtr core, api::StatusFilter filter, StopToken stop)
      : core_(std::move(core)), filter_(filter), stop_(std::move(stop)) {}

  Task<TrackedPage> next() override {
    if (!pages_) {
      CO_TRY_VOID(co_await check_kubo(core_, filter_, stop_));
      std::shared_ptr<tracker::StatusCursor> cursor = core_->parts.tracker.status_all(filter_);
      auto read = [cursor, limit = kFirstPage]() mutable {
        return cursor->next(std::exchange(limit, kPage));
      };
      pages_.emplace(core_->parts.disk, std::move(read), stop_);
    }
    co_return co_await pages_->next();
  }

 private:
  const CorePtr core_;
  const api::StatusFilter filter_;
  const StopToken stop_;
  std::optional<ReadAhead<tracker::TrackedPin>> pages_;
};

class OwnInfoStream final : public Stream<api::PinInfo> {
 public:
  OwnInfoStream(CorePtr core, api::StatusFilter filter, StopToken stop)
      : core_(core), tracked_(std::move(core), filter, std::move(stop)), own_(core_->own_info()) {}

  Task<Result<std::vector<api::PinInfo>>> next() override {
    CO_TRY(auto page, co_await tracked_.next());
    std::vector<api::PinInfo> out;
    out.reserve(page.size());
    for (auto& item : page) {
      out.push_back(core_->to_info(std::move(item), own_));
    }
    co_return out;
  }

 private:
  const CorePtr core_;
  TrackedStream tracked_;
  const api::PinInfoShort own_;
};

// The same as global views that hold one peer. `lenient` is the global question of a peer without
// others: its own failure leaves nothing to add an entry to, so the list ends empty.
class OwnGlobalStream final : public Stream<api::GlobalPinInfo> {
 public:
  OwnGlobalStream(CorePtr core, api::StatusFilter filter, StopToken stop, bool lenient)
      : core_(core),
        tracked_(std::move(core), filter, std::move(stop)),
        lenient_(lenient),
        self_(core_->parts.self.text()),
        own_(core_->own_info()) {}

  Task<Result<std::vector<api::GlobalPinInfo>>> next() override {
    auto page = co_await tracked_.next();
    if (!page) {
      const Code code = page.error().code();
      if (lenient_ && (code == Code::Unavailable || code == Code::Timeout)) {
        log_warn("cluster", "status of this peer: {}", page.error().message());
        co_return std::vector<api::GlobalPinInfo>();
      }
      co_return fail(std::move(page.error()));
    }
    std::vector<api::GlobalPinInfo> out;
    out.reserve(page->size());
    for (auto& item : *page) {
      out.push_back(convert(std::move(item)));
    }
    co_return out;
  }

 private:
  api::GlobalPinInfo convert(tracker::TrackedPin&& item) const {
    complete(item.pin, item.local.status, item.local.timestamp);
    api::GlobalPinInfo out;
    take_pin(out, std::move(item.pin));
    take_local(out.peer_map.emplace(self_, own_).first->second, std::move(item.local));
    return out;
  }

  const CorePtr core_;
  TrackedStream tracked_;
  const bool lenient_;
  const std::string self_;
  const api::PinInfoShort own_;
};

// Global questions ask only this peer when it follows or is alone.
bool asks_only_itself(const Cluster::Core& core) {
  return core.cluster().follower_mode || core.members().size() <= 1;
}

FailedInfo failed_info(CorePtr core) {
  return [core](const PeerId& peer, const std::string& error) {
    api::PinInfoShort info = core->short_info(peer, api::TrackerStatus::ClusterError, core->now());
    info.error = error;
    return info;
  };
}

using AskAll = std::function<Task<Result<PinInfos>>(PeerId)>;

Task<MergeSource> ask_one(AskAll ask, PeerId peer) {
  MergeSource source;
  source.peer = peer;
  auto infos = co_await ask(peer);
  if (infos) {
    source.infos = std::move(*infos);
  } else if (infos.error().code() != Code::PermissionDenied) {
    source.error = infos.error().message();
  }
  co_return source;
}

// Opens the other members' streams when the first batch is wanted, and merges them with this
// peer's.
class MembersStream final : public Stream<api::GlobalPinInfo> {
 public:
  MembersStream(CorePtr core, PinInfos own, AskAll ask)
      : core_(std::move(core)), own_(std::move(own)), ask_(std::move(ask)) {}

  Task<Result<std::vector<api::GlobalPinInfo>>> next() override {
    if (!merged_) {
      std::vector<Task<MergeSource>> tasks;
      for (const PeerId& peer : core_->members()) {
        if (peer != core_->parts.self) {
          tasks.push_back(ask_one(ask_, peer));
        }
      }
      std::vector<MergeSource> sources = co_await gather(std::move(tasks));
      MergeSource own;
      own.peer = core_->parts.self;
      own.infos = std::move(own_);
      own.own = true;
      sources.push_back(std::move(own));
      merged_ = merge(std::move(sources), failed_info(core_));
    }
    co_return co_await merged_->next();
  }

 private:
  const CorePtr core_;
  PinInfos own_;
  const AskAll ask_;
  StreamPtr<api::GlobalPinInfo> merged_;
};

// What the tracker pushes while it recovers, as a stream to pull. The queue is short: the tracker
// waits for a slow reader.
class RecoverStream final : public Stream<api::PinInfo> {
 public:
  RecoverStream(CorePtr core, StopToken stop)
      : core_(std::move(core)), outer_(std::move(stop)), stop_callback_(outer_, Stopper{own_}) {}
  ~RecoverStream() override {
    own_.request_stop();
    if (channel_) {
      channel_->cancel();  // a send that waits does not notice the close
      channel_->close();
    }
  }

  Task<Result<std::vector<api::PinInfo>>> next() override {
    if (!channel_) {
      channel_ = std::make_shared<Channel>(co_await asio::this_coro::executor, 4);
      spawn(co_await asio::this_coro::executor, produce(core_, channel_, own_.get_token()),
            "recover all");
    }
    while (true) {
      boost::system::error_code ec;
      auto item = co_await channel_->async_receive(asio::redirect_error(asio::use_awaitable, ec));
      if (ec) {
        co_return std::vector<api::PinInfo>();
      }
      if (item.finished) {
        channel_->close();
        if (item.error) {
          co_return fail(std::move(*item.error));
        }
        co_return std::vector<api::PinInfo>();
      }
      if (!item.batch.empty()) {
        co_return std::move(item.batch);
      }
    }
  }

 private:
  struct Item {
    std::vector<api::PinInfo> batch;
    bool finished = false;
    std::optional<Error> error;
  };
  using Channel =
      asio::experimental::concurrent_channel<Executor, void(boost::system::error_code, Item)>;
  struct Stopper {
    StopSource source;
    void operator()() { source.request_stop(); }
  };

  static Task<Status> send(std::shared_ptr<Channel> channel, Item item) {
    boost::system::error_code ec;
    co_await channel->async_send(boost::system::error_code(), std::move(item),
                                 asio::redirect_error(asio::use_awaitable, ec));
    if (ec) {
      co_return fail(Code::Cancelled, "context canceled");
    }
    co_return Status();
  }

  static Task<Status> send_batch(CorePtr core, std::shared_ptr<Channel> channel,
                                 std::vector<tracker::TrackedPin> batch) {
    Item item;
    item.batch.reserve(batch.size());
    for (auto& tracked : batch) {
      item.batch.push_back(core->to_info(std::move(tracked)));
    }
    co_return co_await send(channel, std::move(item));
  }

  static Task<void> produce(CorePtr core, std::shared_ptr<Channel> channel, StopToken stop) {
    std::function<Task<Status>(std::vector<tracker::TrackedPin>)> on_batch =
        [core, channel](std::vector<tracker::TrackedPin> batch) {
          return send_batch(core, channel, std::move(batch));
        };
    const Status outcome = co_await core->parts.tracker.recover_all(on_batch, stop);
    Item last;
    last.finished = true;
    if (!outcome) {
      last.error = outcome.error();
    }
    const Status sent = co_await send(channel, std::move(last));
    (void)sent;  // nobody listens any more
  }

  const CorePtr core_;
  const StopToken outer_;
  StopSource own_;
  std::stop_callback<Stopper> stop_callback_;
  std::shared_ptr<Channel> channel_;
};

class ToGlobalStream final : public Stream<api::GlobalPinInfo> {
 public:
  explicit ToGlobalStream(StreamPtr<api::PinInfo> items) : items_(std::move(items)) {}
  Task<Result<std::vector<api::GlobalPinInfo>>> next() override {
    CO_TRY(auto batch, co_await items_->next());
    std::vector<api::GlobalPinInfo> out;
    out.reserve(batch.size());
    for (const api::PinInfo& info : batch) {
      out.push_back(api::to_global(info));
    }
    co_return out;
  }

 private:
  StreamPtr<api::PinInfo> items_;
};

}  // namespace

StreamPtr<api::GlobalPinInfo> Cluster::status_all(api::StatusFilter filter, StopToken stop) {
  if (asks_only_itself(*core_)) {
    return std::make_unique<OwnGlobalStream>(core_, filter, std::move(stop), true);
  }
  PinInfos own;
  own.items = own_status_all(filter, stop);
  own.sorted = true;
  AskAll ask = [core = core_, filter, stop](PeerId peer) {
    return core->parts.peers.status_all(std::move(peer), filter, stop);
  };
  return std::make_unique<MembersStream>(core_, std::move(own), std::move(ask));
}

StreamPtr<api::GlobalPinInfo> Cluster::status_all_local(api::StatusFilter filter, StopToken stop) {
  return std::make_unique<OwnGlobalStream>(core_, filter, std::move(stop), false);
}

StreamPtr<api::GlobalPinInfo> Cluster::recover_all(StopToken stop) {
  if (asks_only_itself(*core_)) {
    return recover_all_local(std::move(stop));
  }
  PinInfos own;
  own.items = own_recover_all(stop);
  AskAll ask = [core = core_, stop](PeerId peer) {
    return core->parts.peers.recover_all(std::move(peer), stop);
  };
  return std::make_unique<MembersStream>(core_, std::move(own), std::move(ask));
}

StreamPtr<api::GlobalPinInfo> Cluster::recover_all_local(StopToken stop) {
  return std::make_unique<ToGlobalStream>(own_recover_all(std::move(stop)));
}

StreamPtr<api::PinInfo> Cluster::own_status_all(api::StatusFilter filter, StopToken stop) {
  return std::make_unique<OwnInfoStream>(core_, filter, std::move(stop));
}

StreamPtr<tracker::TrackedPin> Cluster::own_tracked_all(api::StatusFilter filter, StopToken stop) {
  return std::make_unique<TrackedStream>(core_, filter, std::move(stop));
}

StreamPtr<api::PinInfo> Cluster::own_recover_all(StopToken stop) {
  return std::make_unique<RecoverStream>(core_, std::move(stop));
}

}  // namespace ica::cluster
