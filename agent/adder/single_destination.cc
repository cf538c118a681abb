#include <algorithm>

#include "agent/adder/destination.h"

namespace ica::adder {

namespace {

class SingleDestination final : public Destination {
 public:
  SingleDestination(const AddOptions& options, AddTarget& target)
      : options_(options), target_(target) {}

  Task<Status> put(std::vector<Block> blocks) override {
    if (blocks.empty()) {
      co_return Status();
    }
    if (!allocated_) {
      auto peers = co_await target_.allocate(options_.pin);
      if (!peers) {
        co_return fail(std::move(peers).error());
      }
      allocated_ = true;
      allocations_ = *std::move(peers);
      destinations_ = allocations_;
      if (options_.local) {
        const PeerId self = target_.self();
        destinations_ = {self};
        const bool has_self =
            std::find(allocations_.begin(), allocations_.end(), self) != allocations_.end();
        if (!has_self && options_.pin.user_allocations.items.empty() && !allocations_.empty()) {
          allocations_.back() = self;
        }
      }
    }
    co_return co_await target_.put_blocks(destinations_, std::move(blocks));
  }

  std::vector<PeerId> allocations() const override { return allocations_; }

  Task<Status> finish(Cid root) override {
    if (options_.no_pin) {
      co_return co_await target_.finish_blocks();
    }
    api::Pin pin;
    pin.cid = std::move(root);
    pin.options = options_.pin;
    pin.options.mode = api::PinMode::Recursive;
    pin.allocations = {allocations_, true};
    co_return co_await target_.pin(std::move(pin));
  }

 private:
  const AddOptions options_;
  AddTarget& target_;
  bool allocated_ = false;
  std::vector<PeerId> allocations_;
  std::vector<PeerId> destinations_;
};

}  // namespace

std::unique_ptr<Destination> make_single_destination(const AddOptions& options, AddTarget& target) {
  return std::make_unique<SingleDestination>(options, target);
}

}  // namespace ica::adder
