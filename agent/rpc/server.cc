#include "agent/rpc/server.h"

#include <map>
#include <mutex>
#include <unordered_map>

#include "agent/rpc/call.h"
#include "agent/rpc/methods.h"
#include "common/base/async.h"
#include "common/base/log.h"

namespace ica::rpc {

struct Server::Impl {
  Impl(p2p::Network& n, Backend b) : network(n), backend(std::move(b)) {}

  p2p::Network& network;
  const Backend backend;
  std::atomic<uint64_t> answered{0};
  std::atomic<uint64_t> denied{0};
  std::atomic<uint64_t> refused{0};
  std::atomic<uint64_t> unknown{0};

  mutable std::mutex mutex;
  bool stopped = false;
  uint64_t next_number = 0;
  std::unordered_map<uint64_t, std::weak_ptr<Call>> running;
  std::map<PeerId, size_t> per_peer;

  // A number for the call, or nothing when a limit is reached.
  std::optional<uint64_t> admit(const CallPtr& call) {
    const std::lock_guard lock(mutex);
    if (stopped || running.size() >= backend.options.max_calls) {
      return std::nullopt;
    }
    size_t& of_peer = per_peer[call->caller()];
    if (of_peer >= backend.options.max_calls_per_peer) {
      return std::nullopt;
    }
    ++of_peer;
    running.emplace(next_number, call);
    return next_number++;
  }

  void release(uint64_t number, const PeerId& caller) {
    const std::lock_guard lock(mutex);
    running.erase(number);
    const auto of_peer = per_peer.find(caller);
    if (--of_peer->second == 0) {
      per_peer.erase(of_peer);
    }
  }
};

namespace {

using ImplPtr = std::shared_ptr<Server::Impl>;

// What another machine can cause is logged in moderation.
bool may_log(const PeerId& peer) {
  static LogLimiter limiter;
  return limiter.allow(peer.text());
}

Task<void> refuse(CallPtr call, std::string text, ErrorType type) {
  co_await call->answer_error(Error(Code::Protocol, std::move(text)), type);
  watch(call, true);
}

Task<void> answer(ImplPtr impl, CallPtr call) {
  const Status read = co_await call->read_id();
  if (!read) {
    const Code code = read.error().code();
    if (code == Code::InvalidArgument || code == Code::TooLarge || code == Code::Protocol) {
      ++impl->unknown;
      if (may_log(call->caller())) {
        log_warn("rpc", "unreadable call of peer {}: {}", call->caller(), read.error().message());
      }
      co_await refuse(call, "rpc: " + read.error().message(), ErrorType::Server);
    } else {
      call->reset();
    }
    co_return;
  }
  const ServiceId& id = call->id();
  bool service_known = false;
  const Method* method = find_method(id.service, id.method, service_known);
  if (method == nullptr) {
    ++impl->unknown;
    std::string text = "rpc: can't find ";
    if (service_known) {
      text += "method " + id.method;
    } else {
      text += "service " + id.service;
    }
    co_await refuse(call, std::move(text), ErrorType::Server);
    co_return;
  }
  const bool allowed =
      method->policy == Policy::Open ||
      (method->policy == Policy::Trusted && impl->backend.cluster.trusted(call->caller()));
  if (!allowed) {
    ++impl->denied;
    if (may_log(call->caller())) {
      log_warn("rpc", "peer {} may not call {}.{}", call->caller(), id.service, id.method);
    }
    std::string text =
        fmt::format("client does not have permissions to call {}.{}", id.service, id.method);
    co_await refuse(call, std::move(text), ErrorType::Authorization);
    co_return;
  }
  ++impl->answered;
  co_await run_method(call);
}

Task<void> serve(ImplPtr impl, p2p::StreamPtr stream) {
  auto call = std::make_shared<Call>(impl->backend, std::move(stream));
  const auto number = impl->admit(call);
  if (!number) {
    ++impl->refused;
    if (may_log(call->caller())) {
      log_warn("rpc", "too many calls at once; those of peer {} are refused", call->caller());
    }
    co_await refuse(call, "too many calls at once, try again later", ErrorType::Server);
    co_return;
  }
  const PeerId caller = call->caller();
  co_await answer(impl, std::move(call));
  impl->release(*number, caller);
}

}  // namespace

Server::Server(p2p::Network& network, cluster::Cluster& cluster, ipfs::Connector& connector,
               ServerOptions options)
    : impl_(std::make_shared<Impl>(network, Backend{cluster, connector, options})) {}

Server::~Server() = default;

void Server::start() {
  for (const std::string_view protocol : {api::kRpcProtocol, kOwnProtocol}) {
    impl_->network.handle(std::string(protocol), [impl = impl_](p2p::StreamPtr stream) {
      return serve(impl, std::move(stream));
    });
  }
}

Task<void> Server::stop() {
  const ImplPtr impl = impl_;
  std::vector<CallPtr> calls;
  {
    const std::lock_guard lock(impl->mutex);
    impl->stopped = true;
    for (const auto& [number, call] : impl->running) {
      if (auto held = call.lock()) {
        calls.push_back(std::move(held));
      }
    }
  }
  for (CallPtr& call : calls) {
    const Executor executor = call->stream()->executor();
    asio::post(executor, [call = std::move(call)] {
      call->stopping().request_stop();
      call->reset();
    });
  }
  calls.clear();
  // A method that waits for a hung Kubo ends with the connector; nobody waits for it here.
  constexpr auto kPoll = std::chrono::milliseconds(5);
  constexpr int kPolls = 200;
  for (int i = 0; i < kPolls && stats().running > 0; ++i) {
    (void)co_await sleep_for(kPoll);
  }
}

ServerStats Server::stats() const {
  ServerStats out;
  out.answered = impl_->answered;
  out.denied = impl_->denied;
  out.refused = impl_->refused;
  out.unknown = impl_->unknown;
  const std::lock_guard lock(impl_->mutex);
  out.running = impl_->running.size();
  return out;
}

}  // namespace ica::rpc
