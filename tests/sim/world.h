#pragma once

#include <functional>
#include <memory>
#include <queue>
#include <random>
#include <set>
#include <vector>

#include "agent/crdt/synchronizer.h"
#include "tests/sim/check.h"
#include "tests/sim/memory_store.h"

namespace ica::sim {

class World;

// Something that lives and dies with a peer, such as its tracker. Made anew at every start of the
// peer; what must outlive a crash is in the peer's store or in the world.
class Part {
 public:
  virtual ~Part() = default;
};
using PartFactory = std::function<std::unique_ptr<Part>(World& world, size_t peer)>;

struct Faults {
  double loss = 0;       // of messages and of answers
  double repeat = 0;     // of messages
  double bad_bytes = 0;  // of blocks
  double slow = 0;       // share of messages that take seconds
  double crash_at_commit = 0;
  bool streams = true;     // histories come as streams too
  bool power_loss = true;  // a crash takes what was not synced
};

// Peers with clocks of their own, stores that can die, and a network between them, all driven by
// one seed: the same seed gives the same run. Thread-safety: none.
class World {
 public:
  World(uint64_t seed, size_t peers, std::vector<PartFactory> parts = {});
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Faults faults;

  // ---- time
  Duration now() const { return now_.time_since_epoch(); }
  // Runs everything that happens until `end`, or until `done`, which is asked after each event.
  bool run_until(Duration end, const std::function<bool()>& done = {});
  void later(Duration delay, std::function<void()> run);
  // As `later`, and dropped when the peer has died meanwhile.
  void later_on(size_t peer, Duration delay, std::function<void()> run);

  // ---- chance
  std::mt19937_64& random() { return random_; }
  uint64_t below(uint64_t n) { return random_() % n; }
  bool chance(double p) { return static_cast<double>(random_() >> 11) * 0x1p-53 < p; }

  // ---- peers
  size_t size() const { return nodes_.size(); }
  bool alive(size_t peer) const { return nodes_[peer]->sync != nullptr; }
  const PeerId& id(size_t peer) const { return nodes_[peer]->id; }
  MemoryStore& store(size_t peer) { return *nodes_[peer]->store; }
  crdt::Replica& replica(size_t peer) { return *nodes_[peer]->replica; }
  // What the peer's wall clock shows.
  Time wall(size_t peer) const;
  // Writes as a client of the peer does. Nothing when the peer is dead or died at it: then the
  // change may have happened or not.
  std::optional<std::vector<Bytes>> write(size_t peer, const std::vector<crdt::LocalOp>& ops);
  // Begins the peer's history anew, as number `next`. Nothing when it died at it: then it has the
  // old history or the new one.
  std::optional<crdt::Epoch> begin_anew(size_t peer, const crdt::Epoch& next);
  void crash(size_t peer);
  void start(size_t peer);

  // ---- network
  // Peers in different groups do not reach each other.
  void partition(std::vector<size_t> groups);
  // With `notice` the peers see each other subscribe again; without, as when a link only stalled,
  // they do not.
  void heal(bool notice = true);
  bool connected(size_t a, size_t b) const;
  // Announces from outside, as a trusted peer that says anything.
  void inject(size_t to, const Bytes& message);

  struct Counters {
    uint64_t commits = 0;
    uint64_t crashes = 0;
    uint64_t messages = 0;
    uint64_t fetches = 0;
    uint64_t served = 0;
    uint64_t streamed = 0;  // nodes that came in streams
  };
  const Counters& counters() const { return counters_; }

 private:
  struct Node {
    PeerId id;
    std::unique_ptr<MemoryStore> store;
    std::unique_ptr<crdt::Replica> replica;
    std::unique_ptr<crdt::Synchronizer> sync;
    std::vector<std::unique_ptr<Part>> parts;
    uint64_t life = 0;
    size_t group = 0;
    bool dying = false;
    double rate = 1;  // of its steady clock
    Duration offset{};
    Duration wall_offset{};
  };
  struct Event {
    SteadyTime at;
    uint64_t order;
    std::function<void()> run;
    bool operator<(const Event& other) const {
      return std::pair(at, order) > std::pair(other.at, other.order);
    }
  };

  SteadyTime local(const Node& node) const;
  SteadyTime global(const Node& node, SteadyTime local) const;
  Status hook(size_t peer, store::CommitPoint point);
  // The outcome of a call that may have met the end of the peer. False when it has.
  template <typename T>
  bool survived(size_t peer, const Result<T>& outcome, std::string_view what);
  void pump(size_t peer);
  void broadcast(size_t from, const Bytes& message);
  void fetch(size_t to, const crdt::Fetcher::Request& request);
  struct Stream;
  void stream(size_t to, const crdt::Synchronizer::HistoryAction& action);
  void stream_more(const std::shared_ptr<Stream>& stream);
  void end_stream(const Stream& stream, const Status& outcome);
  Duration delay();
  void met(size_t peer);

  std::mt19937_64 random_;
  const std::vector<PartFactory> factories_;
  SteadyTime now_{};
  uint64_t order_ = 0;
  std::priority_queue<Event> events_;
  std::vector<std::unique_ptr<Node>> nodes_;
  Counters counters_;
};

}  // namespace ica::sim
