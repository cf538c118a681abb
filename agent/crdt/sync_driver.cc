#include "agent/crdt/sync_driver.h"

#include "common/base/async.h"
#include "common/base/log.h"

namespace ica::crdt {

struct SyncDriver::Impl : std::enable_shared_from_this<Impl> {
  Impl(Replica& r, BlockSource& blocks, Broadcaster& heads, const Clock& time, Executor strand,
       Executor net, Synchronizer::Options options, uint64_t seed)
      : source(blocks),
        broadcaster(heads),
        clock(time),
        state(std::move(strand)),
        network(std::move(net)),
        replica(r),
        synchronizer(r, std::move(options), seed, clock.steady()),
        timer(state) {}

  BlockSource& source;
  Broadcaster& broadcaster;
  HistorySource* history = nullptr;
  const Clock& clock;
  const Executor state;
  const Executor network;
  StopSource stop;

  crdt::Replica& replica;

  // State executor only.
  Synchronizer synchronizer;
  asio::steady_timer timer;
  bool merging = false;
  bool sealed = false;
  Epoch sealed_history;
  std::function<void(const Epoch&)> newer_history;
  bool disk_fails = false;                 // the last merge could not be written
  std::optional<SteadyTime> behind_since;  // something has been missing since
  SteadyTime progress_at{};

  bool stopped() const { return stop.stop_requested(); }
  void on_message(const Bytes& message, const PeerId& from, Synchronizer::Author author);
  void on_block(const Bytes& digest, std::optional<Bytes> block, const PeerId& from);
  bool on_history(std::vector<Bytes> blocks);
  void on_history_end(const Status& outcome);
  void show_progress(SteadyTime now);
  void merge_soon();
  void merge();
  void pump();
  void report(const Error& error, const char* what);
};

namespace {

template <typename Impl>
Task<void> fetch(std::shared_ptr<Impl> impl, Fetcher::Request request) {
  const Cid cid = block_cid(request.digest);
  const StopToken stop = impl->stop.get_token();
  auto bytes = co_await impl->source.fetch(cid, request.peer, stop);
  std::optional<Bytes> block;
  if (bytes) {
    block = *std::move(bytes);
  }
  asio::post(impl->state, [impl, request = std::move(request), block = std::move(block)]() mutable {
    impl->on_block(request.digest, std::move(block), request.peer);
  });
}

constexpr auto kLongSync = std::chrono::seconds(2);
constexpr auto kProgressPeriod = std::chrono::seconds(10);
constexpr auto kFullPause = std::chrono::milliseconds(2);
constexpr SteadyTime::duration kShortestWait = std::chrono::milliseconds(1);
constexpr SteadyTime::duration kLongestWait = std::chrono::seconds(30);
constexpr SteadyTime::duration kDiskPause = std::chrono::seconds(1);

// Takes what a stream brings to the state executor, and lets the stream wait while too much is
// there.
template <typename Impl>
class Sink final : public HistorySink {
 public:
  explicit Sink(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  Task<bool> take(std::vector<Bytes> blocks) override { return take_in(impl_, std::move(blocks)); }

 private:
  static Task<bool> take_in(std::shared_ptr<Impl> impl, std::vector<Bytes> blocks) {
    const StopToken stop = impl->stop.get_token();
    co_await resume_on(impl->state);
    const bool more = impl->on_history(std::move(blocks));
    bool full = impl->synchronizer.full();
    while (full && !stop.stop_requested()) {
      const Status slept = co_await sleep_for(kFullPause, stop);
      (void)slept;
      co_await resume_on(impl->state);
      full = impl->synchronizer.full();
    }
    co_await resume_on(impl->network);
    co_return more && !stop.stop_requested();
  }

  const std::shared_ptr<Impl> impl_;
};

template <typename Impl>
Task<void> stream(std::shared_ptr<Impl> impl, Synchronizer::HistoryAction action) {
  const StopToken stop = impl->stop.get_token();
  Bytes request = encode_history_request(action.request);
  auto sink = std::make_shared<Sink<Impl>>(impl);
  Status outcome =
      co_await impl->history->stream(action.peer, std::move(request), std::move(sink), stop);
  asio::post(impl->state, [impl, outcome = std::move(outcome)] { impl->on_history_end(outcome); });
}

}  // namespace

void SyncDriver::Impl::report(const Error& error, const char* what) {
  static LogLimiter limiter;
  if (limiter.allow(what)) {
    log_error("crdt", "{}: {}", what, error.message());
  }
}

void SyncDriver::Impl::on_message(const Bytes& message, const PeerId& from,
                                  Synchronizer::Author author) {
  if (sealed) {
    return;  // it comes again
  }
  const auto newer = synchronizer.on_announcement(message, from, clock.steady(), author);
  if (!newer) {
    static LogLimiter limiter;
    if (limiter.allow(from.bytes())) {
      log_warn("crdt", "an announcement of {} was left out: {}", from, newer.error().message());
    }
  } else if (*newer && newer_history) {
    newer_history(**newer);
  }
  pump();
}

void SyncDriver::Impl::on_block(const Bytes& digest, std::optional<Bytes> block,
                                const PeerId& from) {
  const bool came = block.has_value();
  const auto waits = synchronizer.on_block(digest, std::move(block), from, clock.steady());
  if (!waits) {
    report(waits.error(), "taking a block");
  } else if (came && !*waits) {
    source.settled({digest});
  }
  merge_soon();
  pump();
}

bool SyncDriver::Impl::on_history(std::vector<Bytes> blocks) {
  bool more = true;
  for (auto& block : blocks) {
    const auto taken = synchronizer.on_history_block(std::move(block), clock.steady());
    if (!taken) {
      report(taken.error(), "taking a history");
    }
    more = taken && *taken;
    if (!more) {
      break;
    }
  }
  merge_soon();
  return more;
}

void SyncDriver::Impl::on_history_end(const Status& outcome) {
  synchronizer.on_history_end(outcome, clock.steady());
  pump();
}

// In a job of its own: blocks that arrive meanwhile go into the same commit.
void SyncDriver::Impl::merge_soon() {
  if (!merging && synchronizer.has_arrived()) {
    merging = true;
    asio::post(state, [self = shared_from_this()] { self->merge(); });
  }
}

void SyncDriver::Impl::merge() {
  merging = false;
  if (stopped() || sealed) {
    return;
  }
  const auto merged = synchronizer.merge_some(clock.steady());
  disk_fails = !merged;
  if (!merged) {
    // What arrived stays and is tried again with the next block or timer.
    report(merged.error(), "merging blocks");
  } else {
    source.settled(*merged);
    merge_soon();
  }
  pump();
}

// A line now and then while a longer synchronisation runs, and one at its end.
void SyncDriver::Impl::show_progress(SteadyTime now) {
  const auto info = replica.info();
  if (info.work == 0) {
    if (behind_since && now - *behind_since >= kLongSync) {
      log_info("crdt", "in step with the others: {} pins, {} nodes, height {}", info.pins,
               info.blocks, info.height);
    }
    behind_since.reset();
    return;
  }
  if (!behind_since) {
    behind_since = now;
    progress_at = now + kLongSync;
  }
  if (now >= progress_at) {
    progress_at = now + kProgressPeriod;
    log_info("crdt",
             "synchronising: {} pins, {} nodes merged, from height {} down to {}; {} wanted",
             info.pins, info.blocks, info.height, info.synced_to, info.work);
  }
}

void SyncDriver::Impl::pump() {
  if (stopped() || sealed) {
    return;
  }
  const auto now = clock.steady();
  show_progress(now);
  auto actions = synchronizer.poll(now);
  if (!actions) {
    report(actions.error(), "keeping in step with the other peers");
  } else {
    for (auto& request : actions->requests) {
      spawn(network, fetch(shared_from_this(), std::move(request)), "crdt fetch");
    }
    if (actions->history) {
      spawn(network, stream(shared_from_this(), *std::move(actions->history)), "crdt history");
    }
    for (auto& message : actions->broadcasts) {
      broadcaster.broadcast(std::move(message));
    }
  }
  const auto shortest = disk_fails || !actions ? kDiskPause : kShortestWait;
  const auto wait =
      std::clamp<SteadyTime::duration>(synchronizer.next() - now, shortest, kLongestWait);
  timer.expires_after(wait);
  timer.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (error || !self) {
      return;
    }
    if (!self->merging && self->synchronizer.has_arrived()) {
      self->merge();
    } else {
      self->pump();
    }
  });
}

SyncDriver::SyncDriver(Replica& replica, BlockSource& source, Broadcaster& broadcaster,
                       const Clock& clock, Executor state, Executor network,
                       Synchronizer::Options options, uint64_t seed)
    : impl_(std::make_shared<Impl>(replica, source, broadcaster, clock, std::move(state),
                                   std::move(network), std::move(options), seed)) {}

SyncDriver::~SyncDriver() {
  stop();
}

void SyncDriver::set_history(HistorySource& history) {
  impl_->history = &history;
  impl_->synchronizer.set_streams([&history](const PeerId& peer) { return history.streams(peer); });
}

void SyncDriver::start() {
  asio::post(impl_->state, [impl = impl_] { impl->pump(); });
}

void SyncDriver::stop() {
  impl_->stop.request_stop();
  asio::post(impl_->state, [impl = impl_] { impl->timer.cancel(); });
}

void SyncDriver::on_message(Bytes message, PeerId from, Synchronizer::Author author) {
  asio::post(impl_->state,
             [impl = impl_, message = std::move(message), from = std::move(from), author] {
               if (!impl->stopped()) {
                 impl->on_message(message, from, author);
               }
             });
}

void SyncDriver::consider_history(const Epoch& theirs) {
  asio::post(impl_->state, [impl = impl_, theirs] {
    if (impl->stopped() || impl->sealed) {
      return;
    }
    const auto behind = impl->synchronizer.falls_behind(theirs);
    if (!behind) {
      impl->report(behind.error(), "taking a history over");
    } else if (*behind && impl->newer_history) {
      impl->newer_history(theirs);
    }
  });
}

void SyncDriver::on_newer_history(std::function<void(const Epoch&)> handler) {
  impl_->newer_history = std::move(handler);
}

void SyncDriver::seal() {
  impl_->sealed = true;
  impl_->sealed_history = impl_->replica.epoch();
}

void SyncDriver::unseal() {
  impl_->sealed = false;
  const auto now = impl_->clock.steady();
  if (impl_->replica.epoch().same_history(impl_->sealed_history)) {
    impl_->synchronizer.on_peer(now);
  } else {
    impl_->synchronizer.on_new_history(now);
  }
  impl_->merge_soon();
  impl_->pump();
}

void SyncDriver::on_peer_subscribed(PeerId) {
  asio::post(impl_->state, [impl = impl_] {
    if (!impl->stopped() && !impl->sealed) {
      impl->synchronizer.on_peer(impl->clock.steady());
      impl->pump();
    }
  });
}

void SyncDriver::on_local_nodes(const std::vector<Bytes>& digests) {
  impl_->synchronizer.on_local(digests, impl_->clock.steady());
  impl_->pump();
}

}  // namespace ica::crdt
