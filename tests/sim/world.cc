#include "tests/sim/world.h"

#include <cmath>

#include "agent/crdt/compact.h"

namespace ica::sim {

using namespace std::chrono_literals;

namespace {

SteadyTime::duration steady(Duration d) {
  return std::chrono::duration_cast<SteadyTime::duration>(d);
}

// As long as a request for a block takes to give up.
constexpr Duration kFetchTimeout = 3s;

}  // namespace

World::World(uint64_t seed, size_t peers, std::vector<PartFactory> parts)
    : random_(seed), factories_(std::move(parts)) {
  for (size_t i = 0; i < peers; ++i) {
    auto node = std::make_unique<Node>();
    node->id =
        must(PeerId::from_bytes(crdt::block_cid(crdt::block_digest(std::to_string(i))).multihash()),
             "a peer ID");
    node->store = std::make_unique<MemoryStore>(
        [this, i](store::CommitPoint point, uint64_t) { return hook(i, point); });
    node->rate = 0.97 + 0.06 * static_cast<double>(below(1000)) / 1000;
    node->offset = std::chrono::seconds(below(100'000));
    node->wall_offset = std::chrono::seconds(below(600)) - 300s;
    nodes_.push_back(std::move(node));
    start(i);
  }
}

World::~World() = default;

SteadyTime World::local(const Node& node) const {
  const auto elapsed = static_cast<double>(now_.time_since_epoch().count()) * node.rate;
  return SteadyTime(SteadyTime::duration(static_cast<int64_t>(elapsed))) + steady(node.offset);
}

SteadyTime World::global(const Node& node, SteadyTime local) const {
  const auto elapsed =
      static_cast<double>((local - steady(node.offset)).time_since_epoch().count()) / node.rate;
  // Rounded up: at that moment the node's own clock must have reached it.
  return SteadyTime(SteadyTime::duration(static_cast<int64_t>(std::ceil(elapsed)) + 1));
}

Time World::wall(size_t peer) const {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(now() + nodes_[peer]->wall_offset);
  return Time::from_unix(1'700'000'000 + seconds.count());
}

Status World::hook(size_t peer, store::CommitPoint point) {
  Node& node = *nodes_[peer];
  counters_.commits += point == store::CommitPoint::After ? 1 : 0;
  if (node.dying || chance(faults.crash_at_commit)) {
    node.dying = true;
    return fail(Code::Io, "the peer dies");
  }
  return {};
}

template <typename T>
bool World::survived(size_t peer, const Result<T>& outcome, std::string_view what) {
  if (nodes_[peer]->dying) {
    crash(peer);
    return false;
  }
  require(outcome.has_value(), "peer {}: {}: {}", peer, what,
          outcome ? "" : outcome.error().message());
  return true;
}

void World::crash(size_t peer) {
  Node& node = *nodes_[peer];
  if (!alive(peer)) {
    return;
  }
  ++counters_.crashes;
  ++node.life;
  node.parts.clear();
  node.sync.reset();
  node.replica.reset();
  node.dying = false;
  const size_t unsynced = node.store->unsynced();
  node.store->lose_unsynced(faults.power_loss ? below(unsynced + 1) : unsynced);
}

void World::start(size_t peer) {
  Node& node = *nodes_[peer];
  if (alive(peer)) {
    return;
  }
  node.replica = must(crdt::Replica::open(*node.store), "opening a replica");
  node.sync = std::make_unique<crdt::Synchronizer>(*node.replica, crdt::Synchronizer::Options(),
                                                   random_(), local(node));
  if (faults.streams) {
    node.sync->set_streams([](const PeerId&) { return true; });
  }
  for (const auto& factory : factories_) {
    node.parts.push_back(factory(*this, peer));
  }
  met(peer);
}

// The peer and those that it reaches see each other subscribe.
void World::met(size_t peer) {
  for (size_t other = 0; other < nodes_.size(); ++other) {
    if (other != peer && connected(peer, other)) {
      nodes_[other]->sync->on_peer(local(*nodes_[other]));
      nodes_[peer]->sync->on_peer(local(*nodes_[peer]));
    }
  }
}

bool World::connected(size_t a, size_t b) const {
  return alive(a) && alive(b) && nodes_[a]->group == nodes_[b]->group;
}

void World::partition(std::vector<size_t> groups) {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i]->group = groups[i];
  }
}

void World::heal(bool notice) {
  for (auto& node : nodes_) {
    node->group = 0;
  }
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (notice && alive(i)) {
      met(i);
    }
  }
}

void World::later(Duration delay, std::function<void()> run) {
  events_.push({now_ + steady(delay), order_++, std::move(run)});
}

void World::later_on(size_t peer, Duration delay, std::function<void()> run) {
  later(delay, [this, peer, life = nodes_[peer]->life, run = std::move(run)] {
    if (alive(peer) && nodes_[peer]->life == life) {
      run();
    }
  });
}

Duration World::delay() {
  if (chance(faults.slow)) {
    return std::chrono::milliseconds(below(5000));
  }
  return std::chrono::microseconds(500 + below(30'000));
}

bool World::run_until(Duration end, const std::function<bool()>& done) {
  for (;;) {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      pump(i);
    }
    if (done && done()) {
      return true;
    }
    SteadyTime next(steady(end));
    if (!events_.empty()) {
      next = std::min(next, events_.top().at);
    }
    for (const auto& node : nodes_) {
      if (node->sync) {
        next = std::min(next, global(*node, node->sync->next()));
      }
    }
    if (next >= SteadyTime(steady(end))) {
      now_ = std::max(now_, SteadyTime(steady(end)));
      return done && done();
    }
    now_ = std::max(now_, next);
    while (!events_.empty() && events_.top().at <= now_) {
      const auto event = events_.top();
      events_.pop();
      event.run();
    }
  }
}

std::optional<std::vector<Bytes>> World::write(size_t peer, const std::vector<crdt::LocalOp>& ops) {
  if (!alive(peer)) {
    return std::nullopt;
  }
  auto made = nodes_[peer]->replica->write(ops);
  if (!survived(peer, made, "writing")) {
    return std::nullopt;
  }
  if (!made->empty()) {
    nodes_[peer]->sync->on_local(*made, local(*nodes_[peer]));
  }
  return *std::move(made);
}

std::optional<crdt::Epoch> World::begin_anew(size_t peer, const crdt::Epoch& next) {
  Node& node = *nodes_[peer];
  MemoryStore beside;
  const auto made = must(crdt::write_short_history(*node.store, beside, next), "a short history");
  if (!survived(peer, node.store->replace(crdt::short_history_content(), beside), "replacing")) {
    return std::nullopt;
  }
  must(node.replica->reload(), "reading the new history");
  node.sync->on_new_history(local(node));
  return made;
}

void World::pump(size_t peer) {
  Node& node = *nodes_[peer];
  while (node.sync && node.sync->has_arrived()) {
    const auto more = node.sync->merge_some(local(node));
    if (!survived(peer, more, "merging")) {
      return;
    }
  }
  if (!node.sync) {
    return;
  }
  auto actions = node.sync->poll(local(node));
  if (!survived(peer, actions, "polling")) {
    return;
  }
  for (const auto& message : actions->broadcasts) {
    broadcast(peer, message);
  }
  for (const auto& request : actions->requests) {
    fetch(peer, request);
  }
  if (actions->history) {
    stream(peer, *actions->history);
  }
}

struct World::Stream {
  size_t from = 0;
  size_t to = 0;
  uint64_t from_life = 0;
  uint64_t to_life = 0;
  crdt::HistoryWalk walk;
};

void World::stream(size_t to, const crdt::Synchronizer::HistoryAction& action) {
  size_t from = 0;
  while (from < nodes_.size() && nodes_[from]->id != action.peer) {
    ++from;
  }
  if (from == nodes_.size() || !connected(from, to)) {
    later_on(to, 10ms, [this, to] {
      nodes_[to]->sync->on_history_end(fail(Code::Unavailable, "not connected"),
                                       local(*nodes_[to]));
    });
    return;
  }
  // Over the wire and back.
  const auto request =
      must(crdt::decode_history_request(crdt::encode_history_request(action.request)), "a request");
  auto stream =
      std::make_shared<Stream>(Stream{from, to, nodes_[from]->life, nodes_[to]->life,
                                      crdt::HistoryWalk(*nodes_[from]->replica, request)});
  later(delay(), [this, stream] { stream_more(stream); });
}

void World::end_stream(const Stream& stream, const Status& outcome) {
  if (alive(stream.to) && nodes_[stream.to]->life == stream.to_life) {
    nodes_[stream.to]->sync->on_history_end(outcome, local(*nodes_[stream.to]));
  }
}

void World::stream_more(const std::shared_ptr<Stream>& stream) {
  if (!connected(stream->from, stream->to) || nodes_[stream->from]->life != stream->from_life ||
      nodes_[stream->to]->life != stream->to_life || chance(faults.loss / 4)) {
    end_stream(*stream, fail(Code::Closed, "the stream was reset"));
    return;
  }
  Node& node = *nodes_[stream->to];
  for (uint64_t n = 1 + below(20); n > 0; --n) {
    auto block = must(stream->walk.next(), "a history");
    if (!block) {
      end_stream(*stream, {});
      return;
    }
    ++counters_.streamed;
    if (chance(faults.bad_bytes)) {
      (*block)[below(block->size())] ^= 1;
    }
    const auto more = node.sync->on_history_block(*std::move(block), local(node));
    if (!survived(stream->to, more, "a history")) {
      return;
    }
    if (!*more) {
      end_stream(*stream, {});
      return;
    }
  }
  later(delay(), [this, stream] { stream_more(stream); });
}

void World::inject(size_t to, const Bytes& message) {
  if (alive(to)) {
    Node& node = *nodes_[to];
    survived(to, node.sync->on_announcement(message, {}, local(node)), "an announcement");
  }
}

void World::broadcast(size_t from, const Bytes& message) {
  for (size_t to = 0; to < nodes_.size(); ++to) {
    if (to == from || !connected(from, to)) {
      continue;
    }
    for (int copies = chance(faults.repeat) ? 2 : 1; copies > 0; --copies) {
      ++counters_.messages;
      if (chance(faults.loss)) {
        continue;
      }
      later_on(to, delay(), [this, from, to, message] {
        Node& node = *nodes_[to];
        survived(to, node.sync->on_announcement(message, nodes_[from]->id, local(node)),
                 "an announcement");
      });
    }
  }
}

void World::fetch(size_t to, const crdt::Fetcher::Request& request) {
  ++counters_.fetches;
  std::vector<size_t> order;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (i != to && connected(i, to)) {
      nodes_[i]->id == request.peer ? void(order.insert(order.begin(), i)) : order.push_back(i);
    }
  }
  std::optional<Bytes> block;
  PeerId from;
  for (const size_t i : order) {
    block = must(nodes_[i]->replica->block(request.digest), "reading a block");
    if (block) {
      from = nodes_[i]->id;
      break;
    }
  }
  if (!block || chance(faults.loss)) {
    later_on(to, order.empty() ? 10ms : kFetchTimeout, [this, to, request] {
      Node& node = *nodes_[to];
      survived(to, node.sync->on_block(request.digest, std::nullopt, {}, local(node)), "no block");
    });
    return;
  }
  ++counters_.served;
  if (chance(faults.bad_bytes)) {
    (*block)[below(block->size())] ^= 1;
  }
  later_on(to, delay(), [this, to, request, block = std::move(block), from] {
    Node& node = *nodes_[to];
    survived(to, node.sync->on_block(request.digest, block, from, local(node)), "a block");
  });
}

}  // namespace ica::sim
