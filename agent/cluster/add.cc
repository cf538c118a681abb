#include "agent/cluster/core.h"

namespace ica::cluster {
namespace {

class Target final : public adder::AddTarget {
 public:
  Target(CorePtr core, StopToken stop) : core_(std::move(core)), stop_(std::move(stop)) {}

  PeerId self() const override { return core_->parts.self; }

  Task<Result<std::vector<PeerId>>> allocate(api::PinOptions options) override {
    api::Pin pin;
    pin.options = std::move(options);
    CO_TRY_VOID(set_replication(core_->cluster(), pin));
    if (pin.everywhere()) {
      co_return core_->members();
    }
    co_return cluster::allocate(*core_, pin, nullptr);
  }

  Task<Status> put_blocks(std::vector<PeerId> destinations,
                          std::vector<adder::Block> blocks) override {
    std::vector<Task<Status>> tasks;
    for (size_t i = 0; i < destinations.size(); ++i) {
      std::vector<ipfs::BlockToPut> copy;
      copy.reserve(blocks.size());
      const bool last = i + 1 == destinations.size();
      for (adder::Block& block : blocks) {
        copy.push_back({block.cid, last ? std::move(block.data) : block.data});
      }
      tasks.push_back(destinations[i] == core_->parts.self
                          ? core_->parts.connector.block_put(std::move(copy), stop_)
                          : core_->parts.peers.put_blocks(destinations[i], std::move(copy), stop_));
    }
    const std::vector<Status> outcomes = co_await gather(std::move(tasks));
    for (const Status& outcome : outcomes) {
      if (outcome) {
        co_return Status();
      }
      if (outcome.error().code() == Code::Cancelled) {
        co_return fail(outcome.error());
      }
    }
    co_return fail(Code::Internal, "failed to put block on all destinations");
  }

  Task<Status> pin(api::Pin pin) override {
    CO_TRY(auto done, co_await pin_in(core_, std::move(pin)));
    (void)done;
    co_return Status();
  }

 private:
  const CorePtr core_;
  const StopToken stop_;
};

Task<Result<Cid>> add_in(CorePtr core, adder::AddOptions options, adder::PartSource& parts,
                         adder::OutputSink& output, StopToken stop) {
  Target target(core, stop);
  co_return co_await core->parts.importer(std::move(options), parts, target, output,
                                          core->parts.disk, stop);
}

}  // namespace

Task<Result<Cid>> Cluster::add(adder::AddOptions options, adder::PartSource& parts,
                               adder::OutputSink& output, StopToken stop) {
  return add_in(core_, std::move(options), parts, output, std::move(stop));
}

}  // namespace ica::cluster
