#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <set>

#include "agent/crdt/pinset.h"
#include "agent/tracker/pin_tracker.h"
#include "agent/tracker/status_walk.h"
#include "common/base/async.h"
#include "tests/unit/scratch_dir.h"

// What the tracker's tests have in common: a Kubo in memory that can misbehave, a pinset that is
// only a map, and a bench that drives both with a clock turned by hand.
namespace ica::tracker::test {

inline Cid cid_of(uint64_t n) {
  Bytes hash("\x12\x20", 2);
  uint64_t x = n * 0x9e3779b97f4a7c15u + 1;
  for (int i = 0; i < 32; ++i) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    hash.push_back(static_cast<char>(x >> 32));
  }
  return Cid::make_v1(multicodec::kRaw, hash);
}

inline PeerId peer_of(char n) {
  return *PeerId::from_bytes(Bytes("\x12\x20", 2) + Bytes(32, n));
}

inline api::Pin pin_of(const Cid& cid, Time timestamp) {
  api::Pin pin;
  pin.cid = cid;
  pin.timestamp = timestamp.truncated_to_seconds();
  pin.options.replication_factor_min = -1;
  pin.options.replication_factor_max = -1;
  return pin;
}

// Kubo in memory. Thread-safe.
class FakeKubo final : public ipfs::Connector {
 public:
  enum class Mood { Instant, Hang, Fail, NoProviders, Down };

  std::mutex mutex;
  std::map<Cid, ipfs::PinKind> pins;
  std::map<Cid, Mood> moods;  // of single CIDs
  Mood mood = Mood::Instant;  // of the others
  Error error{Code::Internal, "IPFS error (pin/add). Code: 500. Message: boom"};
  bool up = true;
  bool list_breaks = false;
  std::vector<std::pair<Cid, bool>> calls;  // CID, whether it was a pin
  std::map<Cid, int> in_flight;
  int most_in_flight = 0;
  bool overlapped = false;  // two operations on one CID at once
  int cancelled = 0;
  std::function<void()> on_list;  // between the reading of the list and its end

  size_t calls_for(const Cid& cid) {
    const std::lock_guard lock(mutex);
    size_t n = 0;
    for (const auto& call : calls) {
      n += call.first == cid ? 1 : 0;
    }
    return n;
  }
  bool holds(const Cid& cid) {
    const std::lock_guard lock(mutex);
    return pins.contains(cid);
  }
  size_t call_count() {
    const std::lock_guard lock(mutex);
    return calls.size();
  }
  int running() {
    const std::lock_guard lock(mutex);
    int n = 0;
    for (const auto& [cid, k] : in_flight) {
      n += k;
    }
    return n;
  }
  void set_mood(Mood m) {
    const std::lock_guard lock(mutex);
    mood = m;
    up = m != Mood::Down;
  }

  Task<Status> pin(api::Pin pin, std::function<void(ipfs::PinProgress)> on_progress,
                   StopToken stop) override {
    const Mood m = enter(pin.cid, true);
    Status outcome = co_await act(m, pin.cid, std::move(on_progress), stop);
    if (outcome) {
      const std::lock_guard lock(mutex);
      pins[pin.cid] = pin.max_depth == 0 ? ipfs::PinKind::Direct : ipfs::PinKind::Recursive;
    }
    leave(pin.cid, outcome);
    co_return outcome;
  }
  Task<Status> unpin(Cid cid, StopToken stop) override {
    const Mood m = enter(cid, false);
    Status outcome = co_await act(m, cid, nullptr, stop);
    if (outcome) {
      const std::lock_guard lock(mutex);
      pins.erase(cid);
    }
    leave(cid, outcome);
    co_return outcome;
  }
  Task<Result<ipfs::PinKind>> pin_status(Cid cid, api::PinMode mode, StopToken stop) override {
    Mood m = Mood::Instant;
    {
      const std::lock_guard lock(mutex);
      m = mood;
    }
    if (m != Mood::Instant) {
      CO_TRY_VOID(co_await act(m, cid, nullptr, stop));
    }
    const std::lock_guard lock(mutex);
    const auto it = pins.find(cid);
    if (it == pins.end() ||
        it->second !=
            (mode == api::PinMode::Direct ? ipfs::PinKind::Direct : ipfs::PinKind::Recursive)) {
      co_return ipfs::PinKind::Unpinned;
    }
    co_return it->second;
  }

  class List final : public ipfs::BatchStream<ipfs::ListedPin> {
   public:
    std::vector<std::vector<ipfs::ListedPin>> batches;
    bool breaks = false;
    std::function<void()> on_end;
    Task<Result<std::vector<ipfs::ListedPin>>> next() override {
      if (batches.empty()) {
        if (on_end) {
          std::exchange(on_end, nullptr)();
        }
        if (breaks) {
          co_return fail(Code::Protocol, "cut short");
        }
        co_return std::vector<ipfs::ListedPin>();
      }
      auto batch = std::move(batches.front());
      batches.erase(batches.begin());
      co_return batch;
    }
  };
  Task<Result<std::unique_ptr<ipfs::BatchStream<ipfs::ListedPin>>>> pin_ls(std::string type,
                                                                           StopToken) override {
    const std::lock_guard lock(mutex);
    if (!up) {
      co_return fail(Code::Unavailable, "connection refused");
    }
    const auto kind = type == "direct" ? ipfs::PinKind::Direct : ipfs::PinKind::Recursive;
    auto list = std::make_unique<List>();
    std::vector<ipfs::ListedPin> found;
    for (const auto& [cid, held] : pins) {
      if (held == kind) {
        found.insert(found.begin(), {cid, held});  // not in order
      }
    }
    while (!found.empty()) {
      const size_t n = std::min<size_t>(found.size(), 3);
      list->batches.emplace_back(found.end() - static_cast<ptrdiff_t>(n), found.end());
      found.resize(found.size() - n);
    }
    list->breaks = list_breaks;
    if (kind == ipfs::PinKind::Recursive) {
      list->on_end = on_list;
    }
    co_return list;
  }
  bool reachable() const override { return const_cast<FakeKubo*>(this)->is_up(); }

  // Not asked by the tracker.
  Task<Result<api::IpfsId>> id(StopToken) override { co_return no(); }
  Task<Result<std::string>> version(StopToken) override { co_return no(); }
  Task<Result<ipfs::RepoStat>> repo_stat(StopToken) override { co_return no(); }
  Task<Result<std::vector<api::RepoGcKey>>> repo_gc(StopToken) override { co_return no(); }
  Task<Result<std::vector<PeerId>>> swarm_peers(StopToken) override { co_return no(); }
  Task<Status> swarm_connect(Multiaddr, StopToken) override { co_return no(); }
  Task<Result<Cid>> resolve(std::string, StopToken) override { co_return no(); }
  Task<Result<std::string>> config_key(std::string, StopToken) override { co_return no(); }
  Task<Result<Bytes>> block_get(Cid, StopToken) override { co_return no(); }
  Task<Status> block_put(std::vector<ipfs::BlockToPut>, StopToken) override { co_return no(); }
  Task<Result<std::unique_ptr<ipfs::BlockSink>>> block_put_stream(StopToken) override {
    co_return no();
  }
  std::vector<ipfs::CallStats> call_stats() const override { return {}; }

 private:
  static tl::unexpected<Error> no() { return fail(Code::Unsupported, "not in this fake"); }
  bool is_up() {
    const std::lock_guard lock(mutex);
    return up;
  }

  Mood enter(const Cid& cid, bool is_pin) {
    const std::lock_guard lock(mutex);
    calls.emplace_back(cid, is_pin);
    overlapped = overlapped || ++in_flight[cid] > 1;
    int n = 0;
    for (const auto& [c, k] : in_flight) {
      n += k;
    }
    most_in_flight = std::max(most_in_flight, n);
    const auto it = moods.find(cid);
    return mood == Mood::Down || it == moods.end() ? mood : it->second;
  }
  void leave(const Cid& cid, const Status& outcome) {
    const std::lock_guard lock(mutex);
    if (--in_flight[cid] == 0) {
      in_flight.erase(cid);
    }
    cancelled += !outcome && outcome.error().code() == Code::Cancelled ? 1 : 0;
  }
  Task<Status> act(Mood m, Cid cid, std::function<void(ipfs::PinProgress)> on_progress,
                   StopToken stop) {
    switch (m) {
      case Mood::Instant:
        co_return Status();
      case Mood::Hang:
        if (on_progress) {
          on_progress({7, 700});
        }
        co_return co_await sleep_for(std::chrono::hours(1), stop);
      case Mood::Fail:
        co_return fail(error);
      case Mood::NoProviders:
        co_return fail(Code::Timeout, "context canceled");
      case Mood::Down:
        co_return fail(Code::Unavailable, "Post \"pin/ls?arg={}\": connection refused", cid);
    }
    ICA_UNREACHABLE();
  }
};

// A pinset that is one family of the store. put and remove commit at once, on the caller's thread.
class FakePinset final : public crdt::Pinset {
 public:
  explicit FakePinset(store::Store& store) : store_(store) {}

  void change(const Cid& cid, std::optional<api::Pin> after) { group({{cid, std::move(after)}}); }
  // One group: its changes, one commit, which can be made to fail.
  void group(std::vector<std::pair<Cid, std::optional<api::Pin>>> changes, bool fails = false,
             const std::function<void()>& between = nullptr) {
    store::Batch batch;
    std::map<Cid, std::optional<api::Pin>> seen;
    for (auto& [cid, after] : changes) {
      crdt::PinChange c;
      c.cid = cid;
      c.before = seen.contains(cid) ? seen[cid] : *get(cid);
      c.after = after;
      if (after) {
        batch.put(store::Family::Pins, cid.bytes(), api::encode_pin(*after));
      } else {
        batch.del(store::Family::Pins, cid.bytes());
      }
      seen[cid] = after;
      observer_->on_change(c, batch);
    }
    if (between) {
      between();
    }
    const Status outcome = fails ? Status(fail(Code::Io, "disk full"))
                                 : store_.commit(std::move(batch), store::Sync::No);
    observer_->on_committed(outcome);
  }

  Task<Status> put(api::Pin pin) override {
    change(pin.cid, pin);
    co_return Status();
  }
  Task<Result<bool>> replace(api::Pin, api::Pin after) override {
    change(after.cid, after);
    co_return true;
  }
  Task<Result<bool>> remove(Cid cid) override {
    change(cid, std::nullopt);
    co_return true;
  }
  Result<std::optional<api::Pin>> get(const Cid& cid,
                                      const store::SnapshotPtr& snapshot = nullptr) const override {
    TRY(const auto value, store_.get(store::Family::Pins, cid.bytes(), snapshot));
    if (!value) {
      return std::optional<api::Pin>();
    }
    TRY(auto pin, api::decode_pin(cid, *value));
    return std::optional<api::Pin>(std::move(pin));
  }
  Result<std::vector<api::Pin>> page(const Cid& after, size_t limit,
                                     const store::SnapshotPtr& snapshot) const override {
    std::vector<api::Pin> result;
    auto cursor = store_.cursor(store::Family::Pins, {}, snapshot);
    for (cursor->seek(after.defined() ? after.bytes() + '\0' : Bytes());
         cursor->valid() && result.size() < limit; cursor->next()) {
      TRY(auto cid, Cid::from_bytes(cursor->key()));
      TRY(auto pin, api::decode_pin(cid, cursor->value()));
      result.push_back(std::move(pin));
    }
    return result;
  }
  // The tracker looks nothing up by these.
  Result<std::vector<Cid>> expired(Time, size_t) const override { return std::vector<Cid>(); }
  Result<std::optional<Time>> next_expiry() const override { return std::optional<Time>(); }
  Result<std::vector<Cid>> allocated_to(const PeerId&, const Cid&, size_t,
                                        const store::SnapshotPtr&) const override {
    return std::vector<Cid>();
  }
  Result<std::vector<Cid>> crowded(const Cid&, size_t, const store::SnapshotPtr&) const override {
    return std::vector<Cid>();
  }
  Result<std::vector<Cid>> named(std::string_view, const Cid&, size_t,
                                 const store::SnapshotPtr&) const override {
    return std::vector<Cid>();
  }
  Result<std::vector<PeerId>> allocated_peers() const override { return std::vector<PeerId>(); }
  crdt::PinsetInfo info() const override { return {}; }
  void observe(crdt::StateObserver& observer) override { observer_ = &observer; }

 private:
  store::Store& store_;
  crdt::StateObserver* observer_ = nullptr;
};

// Store, pinset, Kubo and tracker on one thread. Time stands still unless advanced.
class Bench {
 public:
  explicit Bench(PinTrackerOptions options = {}) : options_(std::move(options)) {
    options_.self = peer_of('a');
    options_.seed = 42;
    if (options_.away_wait == PinTrackerOptions().away_wait) {
      options_.away_wait = Duration::zero();
    }
    options_.away_poll = std::chrono::milliseconds(1);
    open();
  }
  ~Bench() { close(); }

  void open(bool start = true) {
    store::Options store_options;
    store_options.path = dir.path();
    store_options.memory_budget = 32 << 20;
    auto opened = store::Store::open(store_options);
    REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().message()));
    store = *std::move(opened);
    pinset = std::make_unique<FakePinset>(*store);
    auto made =
        PinTracker::open(options_, {ctx.get_executor(), ctx.get_executor(), ctx.get_executor()},
                         *store, *pinset, kubo, clock);
    REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().message()));
    tracker = *std::move(made);
    pinset->observe(*tracker);
    if (start) {
      tracker->start();
    }
  }
  void close() {
    if (!tracker) {
      return;
    }
    bool done = false;
    spawn(ctx.get_executor(), stop_tracker(tracker, &done), "stop");
    REQUIRE(until([&] { return done; }));
    tracker.reset();
    ctx.restart();
    ctx.poll();
    pinset.reset();
    store.reset();
  }
  void restart(bool start = true) {
    close();
    open(start);
  }

  // Runs what is ready until the condition holds; false after ten seconds.
  bool until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) {
        return false;
      }
      ctx.restart();
      if (ctx.poll() == 0) {
        ctx.restart();
        ctx.run_one_for(std::chrono::milliseconds(2));
      }
    }
    return true;
  }
  // Runs everything that can run now.
  void settle() {
    do {
      ctx.restart();
    } while (ctx.poll() > 0);
  }
  void advance(Duration by) {
    clock.advance(by);
    tracker->wake();
    settle();
  }

  template <typename T>
  T await(Task<T> task) {
    std::optional<T> result;
    spawn(ctx.get_executor(), keep(std::move(task), &result), "a test's call");
    REQUIRE(until([&] { return result.has_value(); }));
    return *std::move(result);
  }

  void put(const Cid& cid) { pinset->change(cid, pin_of(cid, clock.now())); }
  void put(api::Pin pin) {
    const Cid cid = pin.cid;
    pinset->change(cid, std::move(pin));
  }
  void remove(const Cid& cid) { pinset->change(cid, std::nullopt); }

  TrackedPin tracked(const Cid& cid) {
    auto status = tracker->status(cid);
    REQUIRE(status.has_value());
    return *std::move(status);
  }
  LocalStatus status(const Cid& cid) { return tracked(cid).local; }
  bool is(const Cid& cid, api::TrackerStatus wanted) { return status(cid).status == wanted; }

  std::vector<TrackedPin> list(api::StatusFilter filter, size_t page = 100) {
    std::vector<TrackedPin> all;
    auto cursor = tracker->status_all(filter);
    while (true) {
      auto batch = cursor->next(page);
      REQUIRE(batch.has_value());
      if (batch->empty()) {
        return all;
      }
      for (TrackedPin& pin : *batch) {
        all.push_back(std::move(pin));
      }
    }
  }

  ica::test::ScratchDir dir;
  asio::io_context ctx;
  ManualClock clock;
  std::shared_ptr<FakeKubo> kubo = std::make_shared<FakeKubo>();
  std::unique_ptr<store::Store> store;
  std::unique_ptr<FakePinset> pinset;
  std::shared_ptr<PinTracker> tracker;

 private:
  template <typename T>
  static Task<void> keep(Task<T> task, std::optional<T>* result) {
    *result = co_await std::move(task);
  }
  static Task<void> stop_tracker(std::shared_ptr<PinTracker> tracker, bool* done) {
    co_await tracker->stop();
    *done = true;
  }

  PinTrackerOptions options_;
};

inline api::StatusFilter bits(std::initializer_list<api::TrackerStatus> statuses) {
  api::StatusFilter filter = 0;
  for (const api::TrackerStatus status : statuses) {
    filter |= static_cast<api::StatusFilter>(status);
  }
  return filter;
}

}  // namespace ica::tracker::test
