#include "agent/cluster/block_lanes.h"
#include "agent/cluster/core.h"

namespace ica::cluster {
namespace {

class Target final : public adder::AddTarget {
 public:
  Target(CorePtr core, Executor executor, StopToken stop)
      : core_(std::move(core)), executor_(std::move(executor)), stop_(std::move(stop)) {}

  PeerId self() const override { return core_->parts.self; }

  Task<Result<std::vector<PeerId>>> allocate(api::PinOptions options) override {
    api::Pin pin;
    pin.options = std::move(options);
    CO_TRY_VOID(set_replication(core_->cluster(), pin));
    if (pin.everywhere()) {
      co_return core_->members();
    }
    co_return co_await cluster::allocate(core_, pin, nullptr);
  }

  Task<Status> put_blocks(std::vector<PeerId> destinations,
                          std::vector<adder::Block> blocks) override {
    if (lanes_ && lanes_->destinations() != destinations) {
      CO_TRY_VOID(co_await finish_blocks());
    }
    if (!lanes_) {
      lanes_ = std::make_unique<BlockLanes>(core_, executor_, std::move(destinations), LaneLimits(),
                                            stop_);
    }
    std::vector<ipfs::BlockToPut> sent;
    sent.reserve(blocks.size());
    for (adder::Block& block : blocks) {
      sent.push_back({std::move(block.cid), std::move(block.data)});
    }
    co_return co_await lanes_->put(std::move(sent));
  }

  Task<Status> finish_blocks() override {
    if (!lanes_) {
      co_return Status();
    }
    Status finished = co_await lanes_->finish();
    co_await end();
    co_return finished;
  }

  Task<Status> pin(api::Pin pin) override {
    CO_TRY_VOID(co_await finish_blocks());
    CO_TRY(auto done, co_await pin_in(core_, std::move(pin)));
    (void)done;
    co_return Status();
  }

  // Nothing that this add began runs on afterwards.
  Task<void> end() {
    if (lanes_) {
      co_await lanes_->end();
      lanes_.reset();
    }
  }

 private:
  const CorePtr core_;
  const Executor executor_;
  const StopToken stop_;
  std::unique_ptr<BlockLanes> lanes_;
};

Task<Result<Cid>> add_in(CorePtr core, adder::AddOptions options, adder::PartSource& parts,
                         adder::OutputSink& output, StopToken stop) {
  Target target(core, co_await asio::this_coro::executor, stop);
  auto added = co_await core->parts.importer(std::move(options), parts, target, output,
                                             core->parts.disk, stop);
  co_await target.end();
  co_return added;
}

}  // namespace

Task<Result<Cid>> Cluster::add(adder::AddOptions options, adder::PartSource& parts,
                               adder::OutputSink& output, StopToken stop) {
  return add_in(core_, std::move(options), parts, output, std::move(stop));
}

}  // namespace ica::cluster
