#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/p2p/stream.h"
#include "common/base/async.h"

// A network in memory: peers of one io_context, joined by reliable streams with a bounded pipe each
// way. For tests of what stands on p2p::Network. One thread.
namespace ica::p2p {

class FakeStream final : public Stream {
 public:
  static constexpr size_t kCapacity = 256 * 1024;

  struct Pipe {
    explicit Pipe(const Executor& e) : changed(e) {}
    Bytes data;
    bool eof = false;
    bool reset = false;
    Event changed;
  };

  FakeStream(Executor executor, std::shared_ptr<Pipe> in, std::shared_ptr<Pipe> out, PeerId peer,
             std::string protocol)
      : executor_(std::move(executor)),
        in_(std::move(in)),
        out_(std::move(out)),
        peer_(std::move(peer)),
        protocol_(std::move(protocol)) {}
  ~FakeStream() override {
    if (!(out_->eof && in_->eof)) {
      reset();
    }
  }

  Task<Result<Bytes>> read_some(size_t limit) override { return read(in_, limit, deadline_); }
  Task<Status> write(Bytes data) override { return write_to(out_, std::move(data), deadline_); }
  Task<Status> close_write() override {
    out_->eof = true;
    out_->changed.notify_all();
    co_return Status();
  }
  void reset() override {
    for (const auto& pipe : {in_, out_}) {
      pipe->reset = true;
      pipe->changed.notify_all();
    }
  }
  void set_deadline(std::chrono::steady_clock::time_point at) override { deadline_ = at; }
  const PeerId& peer() const override { return peer_; }
  const std::string& protocol() const override { return protocol_; }
  Executor executor() const override { return executor_; }

 private:
  using Deadline = std::chrono::steady_clock::time_point;
  static constexpr auto kForever = std::chrono::hours(24);

  static std::chrono::nanoseconds left(Deadline deadline) {
    return deadline == Deadline{} ? std::chrono::nanoseconds(kForever)
                                  : deadline - std::chrono::steady_clock::now();
  }

  static Task<Result<Bytes>> read(std::shared_ptr<Pipe> pipe, size_t limit, Deadline deadline) {
    while (pipe->data.empty() || pipe->reset) {
      if (pipe->reset) {
        co_return fail(Code::Closed, "the stream was reset");
      }
      if (pipe->eof) {
        co_return Bytes();
      }
      const auto wait = left(deadline);
      if (wait.count() <= 0) {
        co_return fail(Code::Timeout, "read timed out");
      }
      co_await pipe->changed.wait(wait);
    }
    Bytes out = pipe->data.substr(0, limit);
    pipe->data.erase(0, out.size());
    pipe->changed.notify_all();
    co_return out;
  }

  static Task<Status> write_to(std::shared_ptr<Pipe> pipe, Bytes data, Deadline deadline) {
    while (!pipe->reset && !pipe->eof && pipe->data.size() >= kCapacity) {
      const auto wait = left(deadline);
      if (wait.count() <= 0) {
        co_return fail(Code::Timeout, "write timed out");
      }
      co_await pipe->changed.wait(wait);
    }
    if (pipe->reset || pipe->eof) {
      co_return fail(Code::Closed, "the stream was reset");
    }
    pipe->data += data;
    pipe->changed.notify_all();
    co_return Status();
  }

  const Executor executor_;
  const std::shared_ptr<Pipe> in_;
  const std::shared_ptr<Pipe> out_;
  const PeerId peer_;
  const std::string protocol_;
  Deadline deadline_{};
};

class FakeHost;

// What joins the hosts. Outlives them.
class FakeWire {
 public:
  explicit FakeWire(Executor executor) : executor_(std::move(executor)) {}

  const Executor& executor() const { return executor_; }
  void connect(FakeHost& a, FakeHost& b);
  void disconnect(FakeHost& a, FakeHost& b);
  // Streams opened so far, by protocol.
  std::map<std::string, int> opened;

 private:
  friend class FakeHost;
  struct Open {
    PeerId from;
    PeerId to;
    std::weak_ptr<FakeStream> stream;
  };
  const Executor executor_;
  std::map<PeerId, FakeHost*> hosts_;
  std::set<std::pair<PeerId, PeerId>> links_;  // both ways
  std::vector<Open> streams_;
};

class FakeHost final : public Network {
 public:
  FakeHost(FakeWire& wire, PeerId self) : wire_(wire), self_(std::move(self)) {
    wire_.hosts_[self_] = this;
  }
  ~FakeHost() override { wire_.hosts_.erase(self_); }

  const PeerId& self() const override { return self_; }

  Task<Result<StreamPtr>> open_stream(PeerId peer, std::vector<std::string> protocols, Duration,
                                      StopToken) override {
    return open(this, std::move(peer), std::move(protocols));
  }
  void handle(std::string protocol, std::function<Task<void>(StreamPtr)> handler) override {
    handlers_[std::move(protocol)] = std::move(handler);
  }
  void subscribe(PeerEvents events) override { events_.push_back(std::move(events)); }
  std::vector<PeerId> connected_peers() const override {
    std::vector<PeerId> out;
    for (const auto& [a, b] : wire_.links_) {
      if (a == self_) {
        out.push_back(b);
      }
    }
    return out;
  }
  bool speaks(const PeerId& peer, std::string_view protocol) const override {
    const auto it = wire_.hosts_.find(peer);
    return it != wire_.hosts_.end() && wire_.links_.contains({self_, peer}) &&
           it->second->handlers_.contains(std::string(protocol));
  }
  std::vector<Multiaddr> listen_addresses() const override { return {}; }
  std::vector<Multiaddr> known_addresses(const PeerId&) const override { return {}; }

 private:
  friend class FakeWire;

  static Task<Result<StreamPtr>> open(FakeHost* self, PeerId peer,
                                      std::vector<std::string> protocols) {
    FakeWire& wire = self->wire_;
    const auto it = wire.hosts_.find(peer);
    if (it == wire.hosts_.end() || !wire.links_.contains({self->self_, peer})) {
      co_return fail(Code::Unavailable, "not connected");
    }
    for (const std::string& protocol : protocols) {
      const auto handler = it->second->handlers_.find(protocol);
      if (handler == it->second->handlers_.end()) {
        continue;
      }
      auto to = std::make_shared<FakeStream::Pipe>(wire.executor_);
      auto back = std::make_shared<FakeStream::Pipe>(wire.executor_);
      auto ours = std::make_shared<FakeStream>(wire.executor_, back, to, peer, protocol);
      auto theirs = std::make_shared<FakeStream>(wire.executor_, to, back, self->self_, protocol);
      std::erase_if(wire.streams_, [](const auto& open) { return open.stream.expired(); });
      wire.streams_.push_back({self->self_, peer, ours});
      ++wire.opened[protocol];
      spawn(wire.executor_, handler->second(std::move(theirs)), "handler of a fake stream");
      co_return StreamPtr(std::move(ours));
    }
    co_return fail(Code::Unsupported, "protocols not supported");
  }

  FakeWire& wire_;
  const PeerId self_;
  std::map<std::string, std::function<Task<void>(StreamPtr)>> handlers_;
  std::vector<PeerEvents> events_;
};

inline void FakeWire::connect(FakeHost& a, FakeHost& b) {
  links_.insert({a.self_, b.self_});
  links_.insert({b.self_, a.self_});
  for (const auto& [host, other] : {std::pair{&a, &b}, std::pair{&b, &a}}) {
    for (const PeerEvents& events : host->events_) {
      if (events.connected) {
        events.connected(other->self_);
      }
    }
  }
}

inline void FakeWire::disconnect(FakeHost& a, FakeHost& b) {
  links_.erase({a.self_, b.self_});
  links_.erase({b.self_, a.self_});
  for (const Open& open : streams_) {
    const bool between = (open.from == a.self_ && open.to == b.self_) ||
                         (open.from == b.self_ && open.to == a.self_);
    if (const auto stream = open.stream.lock(); stream && between) {
      stream->reset();
    }
  }
  for (const auto& [host, other] : {std::pair{&a, &b}, std::pair{&b, &a}}) {
    for (const PeerEvents& events : host->events_) {
      if (events.disconnected) {
        events.disconnected(other->self_);
      }
    }
  }
}

}  // namespace ica::p2p
