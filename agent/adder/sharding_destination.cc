#include <unordered_set>

#include "agent/adder/destination.h"
#include "agent/adder/shard_dag.h"

namespace ica::adder {

namespace {

class ShardingDestination final : public Destination {
 public:
  ShardingDestination(const AddOptions& options, AddTarget& target, OutputSink& output)
      : options_(options), target_(target), output_(output) {
    options_.pin.mode = api::PinMode::Recursive;
  }

  Task<Status> put(std::vector<Block> blocks) override {
    for (Block& block : blocks) {
      if (!added_.insert(block.cid).second) {
        continue;
      }
      auto done = co_await ingest(std::move(block));
      if (!done) {
        co_return done;
      }
    }
    co_return Status();
  }

  std::vector<PeerId> allocations() const override { return allocations_; }

  Task<Status> finish(Cid root) override {
    if (!open_) {
      co_return fail(Code::Internal, "cannot flush a nil shard");
    }
    auto flushed = co_await flush();
    if (!flushed) {
      co_return flushed;
    }
    std::vector<Block> dag = make_shard_dag(shards_);
    const Cid cluster_dag = dag.front().cid;
    std::vector<PeerId> here(1, target_.self());
    auto put = co_await target_.put_blocks(std::move(here), std::move(dag));
    if (!put) {
      co_return put;
    }
    api::AddedOutput line;
    line.name = options_.pin.name + "-clusterDAG";
    line.cid = cluster_dag;
    line.size = total_size_;
    auto told = co_await output_.put(std::move(line));
    if (!told) {
      co_return told;
    }

    api::Pin dag_pin;
    dag_pin.cid = cluster_dag;
    dag_pin.type = api::PinType::ClusterDag;
    dag_pin.options = options_.pin;
    dag_pin.options.replication_factor_min = -1;
    dag_pin.options.replication_factor_max = -1;
    dag_pin.options.name += "-clusterDAG";
    dag_pin.max_depth = api::kMaxDepthDirect;
    dag_pin.reference = root;
    auto pinned = co_await target_.pin(std::move(dag_pin));
    if (!pinned) {
      co_return pinned;
    }

    api::Pin meta;
    meta.cid = root;
    meta.type = api::PinType::Meta;
    meta.options = options_.pin;
    meta.max_depth = api::kMaxDepthDirect;  // irrelevant: meta pins are not pinned in Kubo
    meta.reference = cluster_dag;
    co_return co_await target_.pin(std::move(meta));
  }

 private:
  Task<Status> ingest(Block block) {
    if (!open_) {
      auto opened = co_await open_shard();
      if (!opened) {
        co_return opened;
      }
    }
    const size_t size = block.data.size();
    if (size_ + size >= options_.pin.shard_size) {
      if (size_ == 0) {
        co_return fail(Code::Internal, "block doesn't fit in empty shard: shard size too small?");
      }
      auto flushed = co_await flush();
      if (!flushed) {
        co_return flushed;
      }
      auto opened = co_await open_shard();
      if (!opened) {
        co_return opened;
      }
      if (size >= options_.pin.shard_size) {
        co_return fail(Code::Internal, "block doesn't fit in empty shard: shard size too small?");
      }
    }
    links_.push_back(block.cid);
    size_ += size;
    std::vector<Block> one;
    one.push_back(std::move(block));
    co_return co_await target_.put_blocks(allocations_, std::move(one));
  }

  Task<Status> open_shard() {
    auto peers = co_await target_.allocate(options_.pin);
    if (!peers) {
      co_return fail(std::move(peers).error());
    }
    allocations_ = *std::move(peers);
    open_ = true;
    size_ = 0;
    links_.clear();
    co_return Status();
  }

  // Stores and pins the shard's own node.
  Task<Status> flush() {
    std::vector<Block> dag = make_shard_dag(links_);
    const Cid shard = dag.front().cid;
    const int depth = dag.size() > 1 ? 2 : 1;
    auto put = co_await target_.put_blocks(allocations_, std::move(dag));
    if (!put) {
      co_return put;
    }
    api::Pin pin;
    pin.cid = shard;
    pin.type = api::PinType::Shard;
    pin.options = options_.pin;
    pin.options.name += fmt::format("-shard-{}", shards_.size());
    pin.options.shard_size = size_;
    pin.allocations = {allocations_, true};
    pin.max_depth = depth;
    pin.reference = previous_;
    auto pinned = co_await target_.pin(std::move(pin));
    if (!pinned) {
      co_return pinned;
    }
    api::AddedOutput line;
    line.name = fmt::format("shard-{}", shards_.size());
    line.cid = shard;
    line.size = size_;
    line.allocations = allocations_;
    total_size_ += size_;
    shards_.push_back(shard);
    previous_ = shard;
    open_ = false;
    allocations_.clear();
    co_return co_await output_.put(std::move(line));
  }

  AddOptions options_;
  AddTarget& target_;
  OutputSink& output_;
  std::unordered_set<Cid> added_;
  bool open_ = false;
  std::vector<PeerId> allocations_;
  std::vector<Cid> links_;
  uint64_t size_ = 0;
  std::vector<Cid> shards_;
  Cid previous_;
  uint64_t total_size_ = 0;
};

}  // namespace

std::unique_ptr<Destination> make_sharding_destination(const AddOptions& options, AddTarget& target,
                                                       OutputSink& output) {
  return std::make_unique<ShardingDestination>(options, target, output);
}

}  // namespace ica::adder
