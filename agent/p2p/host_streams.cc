#include <algorithm>

#include "agent/p2p/host_stream.h"
#include "agent/p2p/multistream.h"

namespace ica::p2p {

namespace {

// Inbound streams of all connections whose protocol is being negotiated.
constexpr int64_t kMaxNegotiating = 2048;

struct ResetOnStop {
  Executor strand;
  std::weak_ptr<yamux::YamuxStream> stream;
  void operator()() const {
    asio::post(strand, [stream = stream] {
      if (const auto s = stream.lock()) {
        s->reset();
      }
    });
  }
};

struct HasHandler {
  CorePtr core;
  bool operator()(std::string_view protocol) const {
    const std::lock_guard lock(core->mutex);
    return core->handlers.find(protocol) != core->handlers.end();
  }
};

struct Negotiating {
  explicit Negotiating(CorePtr c) : core(std::move(c)) { core->negotiating.fetch_add(1); }
  Negotiating(const Negotiating&) = delete;
  Negotiating& operator=(const Negotiating&) = delete;
  ~Negotiating() { core->negotiating.fetch_sub(1); }
  CorePtr core;
};

Task<Result<std::string>> accept_protocol(CorePtr core, std::shared_ptr<HostStream> stream) {
  const Negotiating negotiating(core);
  if (core->negotiating.load() > kMaxNegotiating) {
    co_return fail(Code::Busy, "too many streams at once");
  }
  // GCC 12 destroys a temporary argument of an awaited call twice: name it.
  const std::function<bool(std::string_view)> accept = HasHandler{core};
  co_return co_await negotiate_inbound(stream->channel(), accept);
}

}  // namespace

bool PeerInfo::speaks(std::string_view protocol) const {
  return std::find(protocols.begin(), protocols.end(), protocol) != protocols.end();
}

std::shared_ptr<const PeerInfo> HostCore::info(const PeerId& peer) const {
  const std::lock_guard lock(mutex);
  const auto it = peers.find(peer);
  return it == peers.end() ? nullptr : it->second.info;
}

Task<Result<StreamPtr>> HostCore::open_on(CorePtr core, ConnectionPtr connection,
                                          std::vector<std::string> protocols, SteadyTime deadline,
                                          StopToken stop) {
  auto opened = co_await connection->session->open_in_turn(deadline);
  if (!opened) {
    co_return fail(std::move(opened).error());
  }
  const yamux::YamuxStreamPtr raw = *std::move(opened);
  auto stream = std::make_shared<HostStream>(core, connection, raw, false);
  raw->set_deadline(deadline);
  const std::stop_callback on_stop(stop, ResetOnStop{connection->strand, raw});

  const auto known = core->info(connection->peer);
  const auto chosen = std::find_if(protocols.begin(), protocols.end(),
                                   [&](const std::string& p) { return known && known->speaks(p); });
  if (chosen != protocols.end()) {
    auto written = co_await raw->write(lazy_proposal(*chosen));
    if (!written) {
      co_return fail(std::move(written).error());
    }
    stream->proposed(*chosen);
  } else {
    auto agreed = co_await negotiate_outbound(stream->channel(), protocols);
    if (!agreed) {
      raw->reset();
      if (stop.stop_requested()) {
        co_return fail(Code::Cancelled, "cancelled");
      }
      co_return fail(std::move(agreed).error());
    }
    stream->agreed(*std::move(agreed));
  }
  raw->set_deadline({});
  core->stats.streams_out.fetch_add(1, std::memory_order_relaxed);
  co_return StreamPtr(std::move(stream));
}

Task<void> HostCore::serve_stream(CorePtr core, ConnectionPtr connection,
                                  yamux::YamuxStreamPtr raw) {
  auto stream = std::make_shared<HostStream>(core, std::move(connection), raw, true);
  raw->set_deadline(core->now() + std::chrono::duration_cast<SteadyTime::duration>(
                                      core->options.negotiate_timeout));
  auto protocol = co_await accept_protocol(core, stream);
  std::function<Task<void>(StreamPtr)> handler;
  if (protocol) {
    const std::lock_guard lock(core->mutex);
    if (const auto it = core->handlers.find(*protocol); it != core->handlers.end()) {
      handler = it->second;
    }
  }
  if (!handler) {
    core->stats.streams_refused.fetch_add(1, std::memory_order_relaxed);
    raw->reset();
    co_return;
  }
  raw->set_deadline({});
  core->stats.streams_in.fetch_add(1, std::memory_order_relaxed);
  stream->agreed(*std::move(protocol));
  raw.reset();
  Task<void> handling = handler(std::move(stream));
  co_await std::move(handling);
}

}  // namespace ica::p2p
