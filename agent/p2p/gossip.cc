#include "agent/p2p/gossip.h"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "agent/p2p/frames.h"
#include "common/base/async.h"
#include "common/base/log.h"
#include "common/crypto/random.h"

namespace ica::p2p {
namespace {

constexpr std::string_view kMeshsub11 = "/meshsub/1.1.0";
constexpr std::string_view kMeshsub10 = "/meshsub/1.0.0";
constexpr std::string_view kSignPrefix = "libp2p-pubsub:";
constexpr size_t kFrameTarget = 256 * 1024;
// Room in a frame for everything beside the data of one message.
constexpr size_t kMaxData = kMaxGossipFrame - 4096;

}  // namespace

void sign_message(GossipMessage& message, const PrivateKey& key) {
  message.signature = key.sign(Bytes(kSignPrefix) + message.unsigned_bytes());
  if (!PublicKey::from_peer_id(key.peer_id())) {
    message.key = key.public_key().protobuf();
  }
}

bool signature_holds(const GossipMessage& message) {
  const auto author = PeerId::from_bytes(message.from);
  if (!author || message.signature.empty()) {
    return false;
  }
  auto key = PublicKey::from_peer_id(*author);
  if (!key && !message.key.empty()) {
    key = PublicKey::from_protobuf(message.key);
  }
  if (!key || key->peer_id() != *author) {
    return false;
  }
  return key->verify(Bytes(kSignPrefix) + message.unsigned_bytes(), message.signature);
}

struct Gossip::Impl : std::enable_shared_from_this<Impl>, GossipSink {
  using Self = std::shared_ptr<Impl>;

  // One peer. Strand only.
  struct Link {
    Link(PeerId p, const Executor& strand, GossipOutbox::Limits limits)
        : peer(std::move(p)), outbox(limits), changed(strand) {}
    const PeerId peer;
    GossipOutbox outbox;
    Event changed;
    StreamPtr out;
    StreamPtr in;
    bool connected = true;
  };
  using LinkPtr = std::shared_ptr<Link>;

  Impl(Network& n, PrivateKey k, const Executor& executor, const Clock& c, Options o)
      : network(n),
        key(std::move(k)),
        clock(c),
        options(o),
        strand(asio::make_strand(executor)),
        router(n.self(), o.params, *this, random_u64()),
        next_seqno(static_cast<uint64_t>(c.now().unix_nanos())) {
    router.on_subscribed = [this](const PeerId& peer, const std::string& topic) {
      if (const auto it = topics.find(topic); it != topics.end() && it->second.subscribed) {
        it->second.subscribed(peer);
      }
    };
  }

  Network& network;
  const PrivateKey key;
  const Clock& clock;
  const Options options;
  const Executor strand;
  std::map<std::string, Topic> topics;  // fixed at start
  StopSource stop;
  std::atomic<int> running{0};

  // Strand only.
  GossipRouter router;
  std::map<PeerId, LinkPtr> links;
  uint64_t next_seqno;

  // What others may ask for.
  mutable std::mutex mutex;
  Stats published;
  std::map<std::string, std::vector<PeerId>> published_subscribers;
  Stats counters;  // strand only; copied to `published`

  SteadyTime now() const { return clock.steady(); }

  // --- GossipSink
  void send(const PeerId& to, GossipRpc rpc, bool own) override {
    const auto it = links.find(to);
    if (it == links.end()) {
      return;
    }
    counters.dropped += it->second->outbox.push(std::move(rpc), own);
    it->second->changed.notify_all();
  }

  Verdict validate(const GossipMessage& message, const PeerId& from) override {
    static LogLimiter limiter;
    if (!signature_holds(message)) {
      if (limiter.allow(from.bytes())) {
        log_warn("pubsub", "peer {} sent a message whose signature is wrong", from);
      }
      return Verdict::Reject;
    }
    const auto it = topics.find(message.topic);
    if (it == topics.end()) {
      return Verdict::Ignore;
    }
    if (!it->second.validate) {
      return Verdict::Accept;
    }
    return it->second.validate(message, *PeerId::from_bytes(message.from));
  }

  void deliver(const GossipMessage& message, const PeerId& from) override {
    auto& stats = counters.topics[message.topic];
    ++stats.messages_in;
    stats.bytes_in += message.data.size();
    if (const auto it = topics.find(message.topic); it != topics.end() && it->second.deliver) {
      it->second.deliver(message.data, *PeerId::from_bytes(message.from), from);
    }
  }

  // --- strand
  LinkPtr link_to(const PeerId& peer) {
    if (const auto it = links.find(peer); it != links.end()) {
      return it->second;
    }
    if (stop.stop_requested() || links.size() >= options.max_peers) {
      return nullptr;
    }
    auto link = std::make_shared<Link>(peer, strand, options.outbox);
    links.emplace(peer, link);
    launch(run_link(shared_from_this(), link), "gossip stream");
    return link;
  }

  void on_connected(const PeerId& peer) {
    if (network.speaks(peer, kMeshsub11) || network.speaks(peer, kMeshsub10)) {
      link_to(peer);
    }
  }

  void on_disconnected(const PeerId& peer) {
    const auto it = links.find(peer);
    if (it == links.end()) {
      return;
    }
    const LinkPtr link = it->second;
    links.erase(it);
    router.remove_peer(peer);
    link->connected = false;
    reset_on_stream(link->out);
    reset_on_stream(link->in);
    link->changed.notify_all();
    publish_stats();
  }

  void publish_stats() {
    counters.router = router.stats();
    counters.peers = 0;
    for (const auto& [id, link] : links) {
      counters.peers += link->out ? 1 : 0;
    }
    std::map<std::string, std::vector<PeerId>> subscribed;
    for (const auto& [name, hooks] : topics) {
      auto& stats = counters.topics[name];
      subscribed[name] = router.subscribers(name);
      stats.subscribers = subscribed[name].size();
      stats.mesh = router.mesh(name).size();
    }
    const std::lock_guard lock(mutex);
    published = counters;
    published_subscribers = std::move(subscribed);
  }

  void publish(const std::string& topic, Bytes data) {
    GossipMessage message;
    message.from = network.self().bytes();
    message.data = std::move(data);
    message.has_data = true;
    const uint64_t seqno = next_seqno++;
    for (int shift = 56; shift >= 0; shift -= 8) {
      message.seqno.push_back(static_cast<char>(seqno >> shift));
    }
    message.topic = topic;
    // Without an ID a message would stop Go peers, so it must not exist.
    if (!message_id(message)) {
      return;
    }
    sign_message(message, key);
    auto& stats = counters.topics[topic];
    ++stats.messages_out;
    stats.bytes_out += message.data.size();
    router.publish(message, now());
  }

  void launch(Task<void> task, const char* what) {
    running.fetch_add(1);
    spawn(strand, counted(shared_from_this(), std::move(task)), what);
  }
  static Task<void> counted(Self self, Task<void> task) {
    co_await std::move(task);
    self->running.fetch_sub(1);
  }

  // --- our stream to a peer (strand)
  static Task<void> run_link(Self self, LinkPtr link) {
    const StopToken token = self->stop.get_token();
    Duration retry = self->options.first_retry;
    while (link->connected && !token.stop_requested()) {
      std::vector<std::string> protocols{std::string(kMeshsub11), std::string(kMeshsub10)};
      auto opened = co_await self->network.open_stream(link->peer, std::move(protocols),
                                                       self->options.open_limit, token);
      if (opened && link->connected && !token.stop_requested()) {
        const SteadyTime began = self->now();
        co_await use_stream(self, link, *opened);
        if (self->now() - began > self->options.last_retry) {
          retry = self->options.first_retry;
        }
      }
      if (opened) {
        reset_on_stream(*opened);
      }
      if (!link->connected || token.stop_requested()) {
        break;
      }
      const auto connected = self->network.connected_peers();
      if (std::find(connected.begin(), connected.end(), link->peer) == connected.end()) {
        self->on_disconnected(link->peer);  // whoever comes back is announced again
        break;
      }
      co_await link->changed.wait(retry, token);
      retry = std::min(retry * 2, self->options.last_retry);
    }
    link->out = nullptr;
  }

  static Task<void> use_stream(Self self, LinkPtr link, StreamPtr stream) {
    const StopToken token = self->stop.get_token();
    link->out = stream;
    self->running.fetch_add(1);
    spawn(stream->executor(), watch(self, link, stream), "gossip stream watch");
    link->outbox.restart();
    self->router.add_peer(link->peer, true, self->now());
    self->publish_stats();
    while (link->connected && link->out == stream && !token.stop_requested()) {
      if (link->outbox.empty()) {
        co_await link->changed.wait(std::chrono::hours(1), token);
        continue;
      }
      Bytes bytes = frame(encode_rpc(link->outbox.take(kFrameTarget)));
      const Status written =
          co_await write_on_stream(stream, std::move(bytes), self->options.write_limit);
      if (!written) {
        break;
      }
    }
    if (link->out == stream) {
      link->out = nullptr;
    }
  }

  // Nobody writes on our stream but us, so an end of the reading side is the end of the stream.
  static Task<void> watch(Self self, LinkPtr link, StreamPtr stream) {
    auto end = co_await stream->read_some(1);
    (void)end;
    asio::post(self->strand, [link, stream] {
      if (link->out == stream) {
        link->out = nullptr;
        link->changed.notify_all();
      }
    });
    self->running.fetch_sub(1);
  }

  // --- a peer's stream to us (the stream's executor)
  static Task<bool> adopt(Self self, StreamPtr stream) {
    const LinkPtr link = self->link_to(stream->peer());
    if (!link) {
      co_return false;
    }
    if (link->in) {
      reset_on_stream(link->in);
    }
    link->in = stream;
    co_return true;
  }

  static Task<bool> take_rpc(Self self, StreamPtr stream, GossipRpc rpc) {
    const auto it = self->links.find(stream->peer());
    if (it == self->links.end() || it->second->in != stream || self->stop.stop_requested()) {
      co_return false;
    }
    // Its subscriptions come once, perhaps before our own stream is open.
    self->router.hear_peer(stream->peer());
    self->router.on_rpc(stream->peer(), rpc, self->now());
    if (!rpc.subscriptions.empty()) {
      self->publish_stats();
    }
    co_return true;
  }

  static Task<void> release(Self self, StreamPtr stream) {
    const auto it = self->links.find(stream->peer());
    if (it != self->links.end() && it->second->in == stream) {
      it->second->in = nullptr;
    }
    co_return;
  }

  static Task<void> serve(Self self, StreamPtr stream) {
    const bool adopted =
        co_await asio::co_spawn(self->strand, adopt(self, stream), asio::use_awaitable);
    if (!adopted) {
      stream->reset();
      co_return;
    }
    FrameReader reader(stream, kMaxGossipFrame);
    while (true) {
      auto bytes = co_await reader.next();
      if (!bytes || !bytes->has_value()) {
        if (!bytes && bytes.error().code() != Code::Closed) {
          self->complain(stream->peer(), bytes.error());
        }
        break;
      }
      auto rpc = decode_rpc(**bytes);
      if (!rpc) {
        self->complain(stream->peer(), rpc.error());
        break;
      }
      const bool go_on = co_await asio::co_spawn(
          self->strand, take_rpc(self, stream, *std::move(rpc)), asio::use_awaitable);
      if (!go_on) {
        break;
      }
    }
    stream->reset();
    co_await asio::co_spawn(self->strand, release(self, stream), asio::use_awaitable);
  }

  void complain(const PeerId& peer, const Error& error) {
    if (error.code() == Code::Timeout || error.code() == Code::Cancelled) {
      return;
    }
    asio::post(strand, [self = shared_from_this()] { ++self->counters.malformed; });
    static LogLimiter limiter;
    if (limiter.allow(peer.bytes())) {
      log_warn("pubsub", "peer {} sent what is no gossip: {}", peer, error.message());
    }
  }

  static Task<void> serve_counted(std::weak_ptr<Impl> weak, StreamPtr stream) {
    const Self self = weak.lock();
    if (!self || self->stop.stop_requested()) {
      stream->reset();
      co_return;
    }
    self->running.fetch_add(1);
    co_await serve(self, std::move(stream));
    self->running.fetch_sub(1);
  }

  static Task<void> beat(Self self) {
    const StopToken token = self->stop.get_token();
    Status slept = co_await sleep_for(std::chrono::milliseconds(100), token);
    while (slept) {
      self->router.heartbeat(self->now());
      self->publish_stats();
      // Peers that started together should not all beat together.
      const auto period = self->options.params.heartbeat;
      const auto tenth = static_cast<uint64_t>(period.count()) / 10;
      const auto jitter = static_cast<int64_t>(random_u64() % (tenth + 1));
      slept = co_await sleep_for(
          period - Duration(static_cast<int64_t>(tenth) / 2) + Duration(jitter), token);
    }
  }

  static Task<void> end_all(Self self) {
    self->stop.request_stop();
    for (const auto& [id, link] : self->links) {
      reset_on_stream(link->out);
      reset_on_stream(link->in);
      link->changed.notify_all();
    }
    co_return;
  }

  static Task<void> wait_all(Self self) {
    co_await asio::co_spawn(self->strand, end_all(self), asio::use_awaitable);
    while (self->running.load() > 0) {
      const Status slept = co_await sleep_for(std::chrono::milliseconds(2));
      (void)slept;
    }
  }
};

Gossip::Gossip(Network& network, PrivateKey key, Executor executor, const Clock& clock,
               Options options)
    : impl_(std::make_shared<Impl>(network, std::move(key), executor, clock, options)) {}

Gossip::~Gossip() {
  impl_->stop.request_stop();
}

void Gossip::subscribe(const std::string& topic, Topic hooks) {
  impl_->router.join(topic);
  impl_->topics.emplace(topic, std::move(hooks));
}

void Gossip::start() {
  const std::weak_ptr<Impl> weak = impl_;
  for (const std::string_view protocol : {kMeshsub11, kMeshsub10}) {
    impl_->network.handle(std::string(protocol), [weak](StreamPtr stream) {
      return Impl::serve_counted(weak, std::move(stream));
    });
  }
  PeerEvents events;
  events.connected = [weak](const PeerId& peer) {
    if (const auto impl = weak.lock()) {
      asio::post(impl->strand, [impl, peer] { impl->on_connected(peer); });
    }
  };
  events.disconnected = [weak](const PeerId& peer) {
    if (const auto impl = weak.lock()) {
      asio::post(impl->strand, [impl, peer] { impl->on_disconnected(peer); });
    }
  };
  impl_->network.subscribe(std::move(events));
  asio::post(impl_->strand, [impl = impl_] {
    for (const PeerId& peer : impl->network.connected_peers()) {
      impl->on_connected(peer);
    }
  });
  impl_->launch(Impl::beat(impl_), "gossip heartbeat");
}

Status Gossip::publish(const std::string& topic, Bytes data) {
  if (!impl_->topics.contains(topic)) {
    return fail(Code::NotFound, "topic {} was not joined", topic);
  }
  if (data.size() > kMaxData) {
    return fail(Code::TooLarge, "a gossip message of {} bytes", data.size());
  }
  if (impl_->stop.stop_requested()) {
    return fail(Code::Closed, "gossip has stopped");
  }
  asio::post(impl_->strand, [impl = impl_, topic, data = std::move(data)]() mutable {
    impl->publish(topic, std::move(data));
  });
  return {};
}

Task<void> Gossip::stop() {
  return Impl::wait_all(impl_);
}

Gossip::Stats Gossip::stats() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->published;
}

std::vector<PeerId> Gossip::subscribers(const std::string& topic) const {
  const std::lock_guard lock(impl_->mutex);
  const auto it = impl_->published_subscribers.find(topic);
  return it == impl_->published_subscribers.end() ? std::vector<PeerId>() : it->second;
}

}  // namespace ica::p2p
