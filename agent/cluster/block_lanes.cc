#include "agent/cluster/block_lanes.h"

#include <algorithm>
#include <deque>

#include "agent/cluster/core.h"
#include "common/base/log.h"

namespace ica::cluster {

namespace {

using SteadyClock = std::chrono::steady_clock;

// How often a wait looks at the time.
constexpr Duration kLook = std::chrono::milliseconds(200);

tl::unexpected<Error> no_destination() {
  return fail(Code::Internal, "failed to put block on all destinations");
}

struct RequestStop {
  StopSource stop;
  void operator()() { stop.request_stop(); }
};

}  // namespace

// One destination. Everything but `stop` belongs to the strand.
struct BlockLanes::Lane {
  explicit Lane(PeerId p, const StopToken& outer)
      : peer(std::move(p)), on_outer_stop(outer, RequestStop{stop}) {}

  const PeerId peer;
  StopSource stop;
  std::stop_callback<RequestStop> on_outer_stop;
  std::deque<ipfs::BlockToPut> waiting;
  size_t bytes = 0;
  Duration held_up{};  // how long others have waited for it
  bool ended = false;  // its coroutine is done
  bool left = false;   // gets no more blocks
  Status outcome;
};

struct BlockLanes::State {
  State(CorePtr c, Executor executor, LaneLimits l, StopToken s)
      : core(std::move(c)),
        strand(asio::make_strand(executor)),
        changed(strand),
        limits(l),
        stop(std::move(s)) {}

  const CorePtr core;
  const Executor strand;
  Event changed;
  const LaneLimits limits;
  const StopToken stop;
  std::vector<std::shared_ptr<Lane>> lanes;
  bool started = false;
  bool closed = false;  // no more blocks come

  bool live(const Lane& lane) const { return !lane.ended && !lane.left; }
  bool any_live() const {
    return std::any_of(lanes.begin(), lanes.end(), [this](const auto& l) { return live(*l); });
  }
  bool full(const Lane& lane) const { return live(lane) && lane.bytes >= limits.buffer; }
  bool any_full() const {
    return std::any_of(lanes.begin(), lanes.end(), [this](const auto& l) { return full(*l); });
  }

  void leave(Lane& lane, std::string_view why) {
    lane.left = true;
    lane.waiting.clear();
    lane.bytes = 0;
    lane.stop.request_stop();
    log_warn("adder", "{} gets no more blocks of this upload and will pin it instead: {}",
             lane.peer, why);
  }

  // Counts a wait against those that cause it while another could go on; leaves those behind that
  // have used up their time.
  void charge(Duration waited, bool finishing) {
    const bool others = std::any_of(lanes.begin(), lanes.end(), [this, finishing](const auto& l) {
      return finishing ? l->ended && l->outcome.has_value() : live(*l) && !full(*l);
    });
    if (!others) {
      return;
    }
    for (const auto& lane : lanes) {
      const bool slow = finishing ? live(*lane) : full(*lane);
      lane->held_up += slow ? waited : Duration();
      if (slow && lane->held_up >= limits.patience) {
        leave(*lane, "it is too slow");
      }
    }
  }
};

BlockLanes::BlockLanes(CorePtr core, Executor executor, std::vector<PeerId> destinations,
                       LaneLimits limits, StopToken stop)
    : destinations_(std::move(destinations)),
      state_(std::make_shared<State>(std::move(core), std::move(executor), limits, stop)) {
  for (const PeerId& peer : destinations_) {
    state_->lanes.push_back(std::make_shared<Lane>(peer, stop));
  }
}

BlockLanes::~BlockLanes() {
  for (const auto& lane : state_->lanes) {
    lane->stop.request_stop();
  }
}

Task<void> BlockLanes::start(std::shared_ptr<State> state) {
  state->started = true;
  for (const auto& lane : state->lanes) {
    spawn(state->strand, run(state, lane), "sending blocks");
  }
  co_return;
}

Task<void> BlockLanes::run(std::shared_ptr<State> state, std::shared_ptr<Lane> lane) {
  Status outcome = co_await feed(state, lane);
  if (!outcome && !lane->left && !lane->stop.stop_requested()) {
    log_warn("adder", "blocks for {}: {}", lane->peer, outcome.error().message());
  }
  lane->outcome = std::move(outcome);
  lane->ended = true;
  lane->waiting.clear();
  lane->bytes = 0;
  state->changed.notify_all();
}

Task<Status> BlockLanes::feed(std::shared_ptr<State> state, std::shared_ptr<Lane> lane) {
  const StopToken stop = lane->stop.get_token();
  const bool here = lane->peer == state->core->parts.self;
  Result<std::unique_ptr<ipfs::BlockSink>> opened = fail(Code::Internal, "not opened");
  if (here) {
    opened = co_await state->core->parts.connector.block_put_stream(stop);
  } else {
    opened = co_await state->core->parts.peers.block_stream(lane->peer, stop);
  }
  if (!opened) {
    co_return fail(std::move(opened).error());
  }
  const std::unique_ptr<ipfs::BlockSink> sink = *std::move(opened);
  for (;;) {
    while (lane->waiting.empty() && !state->closed && !stop.stop_requested()) {
      const bool woken = co_await state->changed.wait(std::chrono::hours(1), stop);
      static_cast<void>(woken);
    }
    if (stop.stop_requested()) {
      co_return fail(Code::Cancelled, "context canceled");
    }
    if (lane->waiting.empty()) {
      break;
    }
    ipfs::BlockToPut block = std::move(lane->waiting.front());
    lane->waiting.pop_front();
    const size_t size = block.data.size();
    Status written = co_await sink->write(std::move(block));
    if (!written) {
      co_return written;
    }
    const bool was_full = lane->bytes >= state->limits.buffer;
    lane->bytes -= std::min(size, lane->bytes);
    if (was_full && lane->bytes < state->limits.buffer) {
      state->changed.notify_all();
    }
  }
  co_return co_await sink->finish();
}

Task<Status> BlockLanes::put_on_strand(std::shared_ptr<State> state,
                                       std::vector<ipfs::BlockToPut> blocks) {
  if (!state->started) {
    co_await start(state);
  }
  while (state->any_full()) {
    const auto begin = SteadyClock::now();
    const bool woken = co_await state->changed.wait(kLook, state->stop);
    static_cast<void>(woken);
    if (state->stop.stop_requested()) {
      co_return fail(Code::Cancelled, "context canceled");
    }
    state->charge(SteadyClock::now() - begin, false);
  }
  if (state->stop.stop_requested()) {
    co_return fail(Code::Cancelled, "context canceled");
  }
  Lane* last = nullptr;
  for (const auto& lane : state->lanes) {
    if (state->live(*lane)) {
      last = lane.get();
    }
  }
  if (last == nullptr) {
    co_return no_destination();
  }
  for (const auto& lane : state->lanes) {
    if (!state->live(*lane)) {
      continue;
    }
    for (ipfs::BlockToPut& block : blocks) {
      lane->bytes += block.data.size();
      if (lane.get() == last) {
        lane->waiting.push_back(std::move(block));
      } else {
        lane->waiting.push_back(block);
      }
    }
  }
  state->changed.notify_all();
  co_return Status();
}

Task<Status> BlockLanes::finish_on_strand(std::shared_ptr<State> state) {
  state->closed = true;
  state->changed.notify_all();
  if (!state->started) {
    co_return Status();  // no block
  }
  while (state->any_live()) {
    const auto begin = SteadyClock::now();
    const bool woken = co_await state->changed.wait(kLook, state->stop);
    static_cast<void>(woken);
    if (state->stop.stop_requested()) {
      co_return fail(Code::Cancelled, "context canceled");
    }
    state->charge(SteadyClock::now() - begin, true);
  }
  if (state->stop.stop_requested()) {
    co_return fail(Code::Cancelled, "context canceled");
  }
  for (const auto& lane : state->lanes) {
    if (lane->ended && lane->outcome) {
      co_return Status();
    }
  }
  co_return no_destination();
}

Task<void> BlockLanes::end_on_strand(std::shared_ptr<State> state) {
  for (const auto& lane : state->lanes) {
    lane->stop.request_stop();
  }
  const auto running = [&state] {
    return state->started && std::any_of(state->lanes.begin(), state->lanes.end(),
                                         [](const auto& l) { return !l->ended; });
  };
  while (running()) {
    const bool woken = co_await state->changed.wait(kLook);
    static_cast<void>(woken);
  }
}

Task<Status> BlockLanes::put(std::vector<ipfs::BlockToPut> blocks) {
  const auto state = state_;
  co_return co_await asio::co_spawn(state->strand, put_on_strand(state, std::move(blocks)),
                                    asio::use_awaitable);
}

Task<Status> BlockLanes::finish() {
  const auto state = state_;
  co_return co_await asio::co_spawn(state->strand, finish_on_strand(state), asio::use_awaitable);
}

Task<void> BlockLanes::end() {
  const auto state = state_;
  co_await asio::co_spawn(state->strand, end_on_strand(state), asio::use_awaitable);
}

}  // namespace ica::cluster
