// Random histories on replicas of go-ds-crdt and of ours at once, each merging what the others
// made. In the end all must hold the same values with the same priorities, byte for byte.
//   crdt_differential --go PROGRAM [--histories N] [--seed FIRST]
// PROGRAM is crdtpeers of tests/tools/crdt. Exit code 1 and the seed when one history fails.
#include <charconv>
#include <iostream>
#include <random>
#include <set>

#include "agent/crdt/records.h"
#include "agent/crdt/replica.h"
#include "common/base/log.h"
#include "tests/sim/check.h"
#include "tests/sim/go_peers.h"
#include "tests/sim/memory_store.h"
#include "tests/sim/values.h"
#include "tests/unit/scratch_dir.h"

namespace ica::sim {
namespace {

using crdt::Replica;
using Random = std::mt19937_64;

size_t below(Random& random, size_t n) {
  return static_cast<size_t>(random() % n);
}

// One of ours, on a store in memory or on a real one.
class OurPeer {
 public:
  explicit OurPeer(std::optional<std::filesystem::path> folder) : folder_(std::move(folder)) {
    open_store();
    open();
  }

  void restart(Random& random) {
    replica_.reset();
    if (folder_) {
      store_.reset();
      open_store();
    } else {
      auto& memory = static_cast<MemoryStore&>(*store_);
      memory.lose_unsynced(below(random, memory.unsynced() + 1));
    }
    open();
  }

  Replica& replica() { return *replica_; }

  const store::Store& store() const { return *store_; }

 private:
  void open_store() {
    if (!folder_) {
      store_ = std::make_unique<MemoryStore>();
      return;
    }
    store::Options options;
    options.path = *folder_;
    options.memory_budget = 8 << 20;
    store_ = must(store::Store::open(options), "opening a store");
  }
  void open() { replica_ = must(Replica::open(*store_), "opening a replica"); }

  const std::optional<std::filesystem::path> folder_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Replica> replica_;
};

class History {
 public:
  History(uint64_t seed, GoPeers& go) : random_(seed), go_(go) {
    go_count_ = 1 + below(random_, 2);
    const size_t ours = 1 + below(random_, 2);
    const bool on_disk = seed % 64 == 0;
    losing_ = below(random_, 3) == 0;
    go_.reset(go_count_);
    for (size_t i = 0; i < ours; ++i) {
      ours_.push_back(std::make_unique<OurPeer>(
          on_disk ? std::optional(dir_.path() / std::to_string(i)) : std::nullopt));
    }
    inboxes_.resize(count());
    for (size_t i = 0, n = 1 + below(random_, 6); i < n; ++i) {
      keys_.push_back(random_key(i));
    }
  }

  void run() {
    for (size_t i = 0, n = 8 + below(random_, 40); i < n; ++i) {
      step();
    }
    settle();
  }

  size_t blocks() const { return blocks_.size(); }

 private:
  size_t count() const { return go_count_ + ours_.size(); }
  bool is_go(size_t peer) const { return peer < go_count_; }
  OurPeer& ours(size_t peer) { return *ours_[peer - go_count_]; }

  std::string random_key(size_t n) {
    static constexpr const char* kOdd[] = {"/A", "/A/B", "/hello", "/AFKREI", "/CIQ", "/z/y/x"};
    if (below(random_, 4) == 0) {
      return kOdd[n % std::size(kOdd)];
    }
    return api::state_key(crdt::block_cid(crdt::block_digest(std::to_string(n))));
  }

  Bytes random_value(const std::string& key) {
    const auto cid = api::cid_from_state_key(key);
    if (!cid || below(random_, 6) == 0) {
      return std::string(1 + below(random_, 3), static_cast<char>('a' + below(random_, 3)));
    }
    api::Pin pin;
    pin.cid = *cid;
    pin.options.name = std::string(below(random_, 3), static_cast<char>('a' + below(random_, 4)));
    pin.options.replication_factor_min = -1;
    pin.options.replication_factor_max = -1;
    if (below(random_, 3) == 0) {
      pin.options.expire_at = Time::from_unix(static_cast<int64_t>(below(random_, 1000)));
    }
    return api::encode_pin(pin);
  }

  void step() {
    const size_t peer = below(random_, count());
    switch (below(random_, 10)) {
      case 0:
        is_go(peer) ? go_.restart(peer) : ours(peer).restart(random_);
        break;
      case 1:
      case 2:
      case 3:
      case 4:
        write(peer);
        break;
      default:
        deliver_one(peer);
    }
  }

  void write(size_t peer) {
    const bool batch = below(random_, 3) == 0;
    std::vector<KeyOp> ops;
    std::set<std::string> put;  // twice in one delta is what even the reference cannot agree on
    for (size_t i = 0, n = batch ? 1 + below(random_, 5) : 1; i < n; ++i) {
      const auto& key = keys_[below(random_, keys_.size())];
      if (below(random_, 3) == 0) {
        ops.push_back({key, std::nullopt});
        put.erase(key);
      } else if (put.insert(key).second) {
        ops.push_back({key, random_value(key)});
      }
    }
    if (is_go(peer)) {
      for (auto& block : go_.write(peer, ops, batch)) {
        publish(peer, block);
      }
      return;
    }
    std::map<std::string, std::optional<Bytes>> net;
    for (auto& op : ops) {
      net[op.key] = std::move(op.value);
    }
    std::vector<crdt::LocalOp> local;
    for (auto& [key, value] : net) {
      local.push_back({crdt::pack_key(key), std::move(value)});
    }
    write_ours(peer, local);
  }

  void write_ours(size_t peer, const std::vector<crdt::LocalOp>& ops) {
    for (const auto& digest : must(ours(peer).replica().write(ops), "a write")) {
      const auto block = must(ours(peer).replica().block(digest), "a block");
      require(block.has_value(), "a node that was just made is not there");
      go_.add_block(*block);
      publish(peer, *block);
    }
  }

  void publish(size_t from, const Bytes& block) {
    Bytes digest = crdt::block_digest(block);
    if (!blocks_.try_emplace(digest, block).second) {
      return;  // two peers did the same on the same heads
    }
    for (const auto& link : must(crdt::decode_node(block), "a node").links) {
      tips_.erase(link);
    }
    tips_.insert(digest);
    const Bytes message = crdt::encode_broadcast({digest});
    for (size_t to = 0; to < count(); ++to) {
      if (to != from && below(random_, 5) != 0) {  // or lost
        inboxes_[to].push_back(message);
      }
    }
  }

  void deliver_one(size_t peer) {
    auto& inbox = inboxes_[peer];
    if (inbox.empty()) {
      return;
    }
    const size_t at = below(random_, inbox.size());
    const Bytes message = inbox[at];
    if (below(random_, 6) != 0) {  // else it comes again
      inbox.erase(inbox.begin() + static_cast<ptrdiff_t>(at));
    }
    std::vector<Bytes> missing;
    if (losing_) {
      for (const auto& [digest, block] : blocks_) {
        if (below(random_, 4) == 0) {
          missing.push_back(digest);
        }
      }
    }
    deliver(peer, message, missing);
  }

  void deliver(size_t peer, const Bytes& message, const std::vector<Bytes>& missing) {
    if (is_go(peer)) {
      go_.deliver(peer, message, missing);
      return;
    }
    Replica& replica = ours(peer).replica();
    must(replica.receive_heads(must(crdt::decode_broadcast(message), "a broadcast").heads),
         "heads");
    walk(replica, std::set<Bytes>(missing.begin(), missing.end()),
         missing.empty() ? SIZE_MAX : below(random_, 20));
  }

  // Fetches and merges, in an order of its own, up to `limit` commits.
  void walk(Replica& replica, const std::set<Bytes>& missing, size_t limit) {
    for (; limit > 0; --limit) {
      std::vector<crdt::Fetched> fetched;
      for (const auto& digest : must(replica.work({}, 10'000), "the work")) {
        if (!missing.contains(digest)) {
          require(blocks_.contains(digest), "a block is wanted that nobody made");
          fetched.push_back({digest, blocks_[digest]});
        }
      }
      if (fetched.empty()) {
        return;
      }
      std::shuffle(fetched.begin(), fetched.end(), random_);
      fetched.resize(1 + below(random_, fetched.size()));
      must(replica.merge(fetched), "a merge");
    }
  }

  // Everybody hears of everything, and of one last node of ours that stands above all others.
  void settle() {
    const std::vector<Bytes> all(tips_.begin(), tips_.end());
    if (all.empty()) {
      return;
    }
    for (size_t peer = go_count_; peer < count(); ++peer) {
      deliver(peer, crdt::encode_broadcast(all), {});
      require(ours(peer).replica().info().work == 0, "work is left over");
      require(ours(peer).replica().heads() == all, "the heads are not the tips");
    }
    write_ours(go_count_, {{crdt::pack_key("/last"), Bytes("last")}});
    const Bytes last = crdt::encode_broadcast({tips_.begin(), tips_.end()});
    for (size_t peer = 0; peer < count(); ++peer) {
      deliver(peer, last, {});
      if (is_go(peer)) {
        go_.repair(peer);
      } else {
        require(ours(peer).replica().heads() == std::vector<Bytes>(tips_.begin(), tips_.end()),
                "the heads are not the last node");
      }
    }
    const Values first = values_of(ours_.front()->store());
    for (size_t peer = 0; peer < count(); ++peer) {
      compare(peer, is_go(peer) ? go_.state(peer).values : values_of(ours(peer).store()), first);
      if (!is_go(peer)) {
        check_totals(ours(peer).store(), ours(peer).replica().info());
      }
    }
  }

  void compare(size_t peer, const Values& is, const Values& expected) {
    require(is == expected, "{} peer {} differs from ours{}", is_go(peer) ? "Go" : "our", peer,
            difference(expected, is));
  }

  Random random_;
  GoPeers& go_;
  test::ScratchDir dir_;
  size_t go_count_ = 0;
  bool losing_ = false;
  std::vector<std::unique_ptr<OurPeer>> ours_;
  std::vector<std::string> keys_;
  std::vector<std::vector<Bytes>> inboxes_;
  std::map<Bytes, Bytes> blocks_;
  std::set<Bytes> tips_;
};

int run(const std::string& program, uint64_t first, uint64_t histories) {
  must(log_set_levels("error"), "log levels");  // odd values are made on purpose
  GoPeers go(program);
  size_t blocks = 0;
  for (uint64_t seed = first; seed < first + histories; ++seed) {
    try {
      History history(seed, go);
      history.run();
      blocks += history.blocks();
    } catch (const Violation& violation) {
      std::cout << fmt::format("history {} failed: {}\n", seed, violation.what());
      return 1;
    }
  }
  std::cout << fmt::format("{} histories, {} nodes: the same state everywhere\n", histories,
                           blocks);
  return blocks > histories ? 0 : 1;
}

}  // namespace
}  // namespace ica::sim

int main(int argc, char** argv) {
  std::string program;
  uint64_t first = 1;
  uint64_t histories = 3000;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const std::string_view value = argv[i + 1];
    if (name == "--go") {
      program = value;
    } else if (name == "--seed" || name == "--histories") {
      auto& number = name == "--seed" ? first : histories;
      std::from_chars(value.data(), value.data() + value.size(), number);
    } else {
      program.clear();
      break;
    }
  }
  if (program.empty()) {
    std::cerr << "usage: crdt_differential --go PROGRAM [--histories N] [--seed FIRST]\n";
    return 2;
  }
  return ica::sim::run(program, first, histories);
}
