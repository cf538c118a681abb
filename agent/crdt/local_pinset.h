#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "agent/crdt/pinset.h"
#include "agent/crdt/replica.h"
#include "common/base/asio.h"

namespace ica::crdt {

struct PinsetOptions {
  // Operations that wait; more are refused with Busy. The reference's batching.max_queue_size.
  size_t max_queue_size = 50'000;
  // With both set, a commit waits until so many operations are there or the first one is so old, as
  // batching.max_batch_size and max_batch_age ask. Without, a commit takes what came during the
  // last.
  size_t max_batch_size = 0;
  Duration max_batch_age{};
};

// Hears of nodes that this peer made; what they name can be read from the replica by then.
class NodeSink {
 public:
  virtual ~NodeSink() = default;
  virtual void on_local_nodes(const std::vector<Bytes>& digests) = 0;  // on the state executor
};

// The pinset over a replica, with the group commit. The state executor must run one thing at a time
// and must have stopped before this object and the replica go.
class LocalPinset final : public Pinset {
 public:
  LocalPinset(Replica& replica, Executor state, PinsetOptions options = {});
  ~LocalPinset() override;

  Task<Status> put(api::Pin pin) override;
  Task<Result<bool>> replace(api::Pin before, api::Pin after) override;
  Task<Result<bool>> remove(Cid cid) override;
  Result<std::optional<api::Pin>> get(const Cid& cid,
                                      const store::SnapshotPtr& snapshot = nullptr) const override;
  Result<std::vector<api::Pin>> page(const Cid& after, size_t limit,
                                     const store::SnapshotPtr& snapshot) const override;
  Result<std::vector<Cid>> expired(Time now, size_t limit) const override;
  Result<std::optional<Time>> next_expiry() const override;
  Result<std::vector<Cid>> allocated_to(const PeerId& peer, const Cid& after, size_t limit,
                                        const store::SnapshotPtr& snapshot) const override;
  Result<std::vector<Cid>> crowded(const Cid& after, size_t limit,
                                   const store::SnapshotPtr& snapshot) const override;
  Result<std::vector<Cid>> named(std::string_view name, const Cid& after, size_t limit,
                                 const store::SnapshotPtr& snapshot) const override;
  Result<std::vector<PeerId>> allocated_peers() const override;
  PinsetInfo info() const override;
  void observe(StateObserver& observer) override;

  // Before the first write.
  void set_sink(NodeSink& sink);
  // Operations that wait for a commit.
  size_t queued() const;
  // From the next commit on none begins until release(): operations wait. close() refuses them.
  void hold();
  void release();
  // Refuses new operations with Closed; those that wait are still committed.
  void close();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ica::crdt
