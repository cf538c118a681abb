#include "agent/p2p/upgrade.h"

#include "agent/p2p/multistream.h"
#include "agent/p2p/noise_channel.h"
#include "agent/p2p/pnet_channel.h"

namespace ica::p2p {

namespace {

// Closes the connection when the time is up or somebody gives up, and remembers which.
struct Cut {
  ChannelPtr channel;
  bool timed_out = false;
};

struct CutOnTimer {
  std::shared_ptr<Cut> cut;
  void operator()(const boost::system::error_code& ec) const {
    if (!ec && cut->channel) {
      cut->timed_out = true;
      cut->channel->close();
    }
  }
};

struct CutOnStop {
  Executor executor;
  std::shared_ptr<Cut> cut;
  void operator()() const {
    asio::post(executor, [cut = cut] {
      if (cut->channel) {
        cut->channel->close();
      }
    });
  }
};

struct Is {
  std::string_view name;
  bool operator()(std::string_view proposal) const { return proposal == name; }
};

Task<Status> agree(std::shared_ptr<BufferedChannel> channel, bool dialler,
                   std::string_view protocol) {
  Result<std::string> agreed;
  if (dialler) {
    std::vector<std::string> proposals;
    proposals.emplace_back(protocol);
    agreed = co_await negotiate_outbound(*channel, std::move(proposals));
  } else {
    const std::function<bool(std::string_view)> accept = Is{protocol};
    agreed = co_await negotiate_inbound(*channel, accept);
  }
  if (!agreed) {
    co_return fail(std::move(agreed).error());
  }
  co_return Status();
}

Task<Result<Upgraded>> run_layers(ChannelPtr raw, std::shared_ptr<PnetChannel> pnet,
                                  UpgradeOptions options) {
  ChannelPtr below = raw;
  if (pnet) {
    below = pnet;
  }
  auto clear = std::make_shared<BufferedChannel>(below);
  auto security = co_await agree(clear, options.dialler, kNoiseProtocol);
  if (!security) {
    co_return fail(std::move(security).error());
  }
  NoiseHandshake::Options noise;
  noise.role = options.dialler ? NoiseHandshake::Role::Initiator : NoiseHandshake::Role::Responder;
  if (options.early_muxer) {
    noise.muxers.emplace_back(kYamuxProtocol);
  }
  auto secured = co_await noise_handshake(clear, options.identity, std::move(noise));
  if (!secured) {
    co_return fail(std::move(secured).error());
  }
  if (options.expected && secured->peer != *options.expected) {
    co_return fail(Code::Unauthorized, "peer id mismatch: expected {}, but remote key matches {}",
                   *options.expected, secured->peer);
  }
  Upgraded out;
  out.peer = secured->peer;
  out.secret = pnet ? pnet->secret() : 0;
  if (!secured->muxer.empty()) {
    out.channel = secured->channel;
    co_return out;
  }
  auto inside = std::make_shared<BufferedChannel>(secured->channel);
  auto muxer = co_await agree(inside, options.dialler, kYamuxProtocol);
  if (!muxer) {
    co_return fail(std::move(muxer).error());
  }
  out.channel = inside;
  co_return out;
}

}  // namespace

Task<Result<Upgraded>> upgrade(ChannelPtr raw, UpgradeOptions options, SteadyTime deadline,
                               StopToken stop) {
  const Executor executor = co_await asio::this_coro::executor;
  auto cut = std::make_shared<Cut>();
  cut->channel = raw;
  asio::steady_timer timer(executor, deadline);
  timer.async_wait(CutOnTimer{cut});
  std::stop_callback on_stop(stop, CutOnStop{executor, cut});

  std::shared_ptr<PnetChannel> pnet;
  if (!options.secrets.empty()) {
    const auto role = options.dialler ? PnetChannel::Role::Dialler : PnetChannel::Role::Listener;
    pnet = std::make_shared<PnetChannel>(raw, options.secrets, role);
  }
  const bool dialler = options.dialler;
  auto out = co_await run_layers(raw, pnet, std::move(options));
  cut->channel = nullptr;
  timer.cancel();
  if (out) {
    co_return out;
  }
  raw->close();
  if (stop.stop_requested()) {
    co_return fail(Code::Cancelled, "cancelled");
  }
  if (pnet && !pnet->proven() && dialler && out.error().code() == Code::Closed) {
    // Whoever holds another secret reads nonsense from us and hangs up, or waits for the rest of
    // it.
    co_return fail(Code::PermissionDenied, "no common secret, or not a cluster peer ({})",
                   cut->timed_out ? "no answer in time" : "hung up on us");
  }
  if (cut->timed_out) {
    co_return fail(Code::Timeout, "the handshake took too long");
  }
  co_return out;
}

}  // namespace ica::p2p
