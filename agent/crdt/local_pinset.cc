#include "agent/crdt/local_pinset.h"

#include <deque>
#include <mutex>
#include <unordered_map>

#include "common/base/log.h"

namespace ica::crdt {

namespace {

// What one commit takes: enough to make the sync cheap, and little enough to keep the state
// executor free for others.
constexpr size_t kGroupOps = 8192;
constexpr size_t kGroupBytes = 4 << 20;
// An element has to fit into a delta of kMaxDeltaBytes, with its key.
constexpr size_t kMaxPinBytes = kMaxDeltaBytes - kMaxKeyBytes;

using Done = std::function<void(Result<bool>)>;

struct Operation {
  Cid cid;
  std::optional<Bytes> value;     // nothing: remove
  std::optional<Bytes> expected;  // only over this value
  Done done;
};

}  // namespace

struct LocalPinset::Impl : std::enable_shared_from_this<Impl> {
  Impl(Replica& r, Executor s, PinsetOptions o)
      : replica(r), state(std::move(s)), options(o), timer(state) {}

  Replica& replica;
  const Executor state;
  const PinsetOptions options;
  NodeSink* sink = nullptr;

  mutable std::mutex mutex;
  std::deque<Operation> waiting;
  bool scheduled = false;  // a drain is posted, or its timer runs
  bool closed = false;
  bool held = false;
  asio::steady_timer timer;  // state executor only

  bool waits() const { return options.max_batch_size > 0 && options.max_batch_age.count() > 0; }
  void enqueue(Operation operation);
  void schedule(bool at_once);
  std::vector<Operation> take();
  void drain();
  Result<std::vector<bool>> commit(const std::vector<Operation>& group);

  // What the operations of a group so far come to, by CID.
  struct Net {
    size_t op = 0;
    bool present = false;
  };
  using Nets = std::unordered_map<Cid, Net>;
  Result<bool> still_stands(const Operation& operation, const Nets& nets,
                            const std::vector<LocalOp>& ops) const;
};

// Compared as pins, since other writers may encode the same pin in other bytes.
Result<bool> LocalPinset::Impl::still_stands(const Operation& operation, const Nets& nets,
                                             const std::vector<LocalOp>& ops) const {
  if (const auto net = nets.find(operation.cid); net != nets.end()) {
    return ops[net->second.op].value == operation.expected;
  }
  TRY(const auto pin, replica.get(operation.cid, nullptr));
  return pin && api::encode_pin(*pin) == *operation.expected;
}

void LocalPinset::Impl::enqueue(Operation operation) {
  Done refuse;
  Error error(Code::Busy, "");
  {
    const std::lock_guard lock(mutex);
    if (closed) {
      refuse = std::move(operation.done);
      error = Error(Code::Closed, "the pinset is closing");
    } else if (waiting.size() >= options.max_queue_size) {
      refuse = std::move(operation.done);
      error = Error(Code::Busy, fmt::format("{} pinset operations are waiting already, as many as "
                                            "crdt.batching.max_queue_size allows",
                                            waiting.size()));
    } else {
      waiting.push_back(std::move(operation));
      const bool full = waits() && waiting.size() >= options.max_batch_size;
      if (!held && (!scheduled || full)) {
        scheduled = true;
        schedule(!waits() || full);
      }
    }
  }
  if (refuse) {
    refuse(fail(std::move(error)));
  }
}

void LocalPinset::Impl::schedule(bool at_once) {
  if (at_once) {
    asio::post(state, [self = shared_from_this()] { self->drain(); });
    return;
  }
  asio::post(state, [self = shared_from_this()] {
    self->timer.expires_after(
        std::chrono::duration_cast<asio::steady_timer::duration>(self->options.max_batch_age));
    self->timer.async_wait([self](const boost::system::error_code& error) {
      if (!error) {
        self->drain();
      }
    });
  });
}

std::vector<Operation> LocalPinset::Impl::take() {
  const std::lock_guard lock(mutex);
  std::vector<Operation> group;
  size_t bytes = 0;
  while (!waiting.empty() && group.size() < kGroupOps && bytes < kGroupBytes) {
    bytes += waiting.front().value ? waiting.front().value->size() : 0;
    group.push_back(std::move(waiting.front()));
    waiting.pop_front();
  }
  return group;
}

// The last operation on a CID in the group decides; each one's answer is what it would have been
// alone.
Result<std::vector<bool>> LocalPinset::Impl::commit(const std::vector<Operation>& group) {
  std::vector<LocalOp> ops;
  Nets nets;
  std::vector<bool> answers;
  answers.reserve(group.size());
  for (const auto& operation : group) {
    if (operation.expected) {
      TRY(const bool stands, still_stands(operation, nets, ops));
      if (!stands) {
        answers.push_back(false);
        continue;
      }
    }
    auto [it, first] = nets.try_emplace(operation.cid);
    Net& net = it->second;
    if (first) {
      net.op = ops.size();
      ops.push_back({pack_key(operation.cid), {}});
      if (!operation.value) {
        TRY(const auto record, replica.store().get(store::Family::Pins, operation.cid.bytes()));
        net.present = record.has_value();
      }
    }
    answers.push_back(operation.value || net.present);
    ops[net.op].value = operation.value;
    net.present = operation.value.has_value();
  }
  TRY(const auto digests, replica.write(ops));
  if (!digests.empty() && sink != nullptr) {
    sink->on_local_nodes(digests);
  }
  return answers;
}

void LocalPinset::Impl::drain() {
  timer.cancel();
  {
    const std::lock_guard lock(mutex);
    if (held) {
      scheduled = false;
      return;
    }
  }
  auto group = take();
  if (!group.empty()) {
    auto answers = commit(group);
    static LogLimiter limiter;
    if (!answers && limiter.allow("commit")) {
      log_error("crdt", "a commit of {} pinset operations failed: {}", group.size(),
                answers.error().message());
    }
    for (size_t i = 0; i < group.size(); ++i) {
      group[i].done(answers ? Result<bool>((*answers)[i]) : Result<bool>(fail(answers.error())));
    }
  }
  const std::lock_guard lock(mutex);
  scheduled = !waiting.empty() && !held;
  if (scheduled) {
    schedule(!waits() || waiting.size() >= options.max_batch_size || closed);
  }
}

namespace {

// Suspends the caller until the operation's commit is on disk. The answer comes on the caller's own
// executor, which is kept busy meanwhile.
struct Enqueue {
  template <typename Handler, typename Impl>
  void operator()(Handler handler, std::shared_ptr<Impl> impl, Operation operation) const {
    auto executor = asio::get_associated_executor(handler);
    auto shared = std::make_shared<Handler>(std::move(handler));
    operation.done = [shared, work = asio::make_work_guard(executor)](Result<bool> result) {
      asio::post(work.get_executor(),
                 [shared, result = std::move(result)]() mutable { (*shared)(std::move(result)); });
    };
    impl->enqueue(std::move(operation));
  }
};

template <typename Impl>
Task<Result<bool>> submit(std::shared_ptr<Impl> impl, Operation operation) {
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Result<bool>)>(
      Enqueue(), asio::use_awaitable, std::move(impl), std::move(operation));
}

}  // namespace

LocalPinset::LocalPinset(Replica& replica, Executor state, PinsetOptions options)
    : impl_(std::make_shared<Impl>(replica, std::move(state), options)) {}

LocalPinset::~LocalPinset() {
  close();
}

namespace {

Result<Operation> put_operation(const api::Pin& pin) {
  Operation operation;
  operation.cid = pin.cid;
  operation.value = api::encode_pin(pin);
  if (!pin.cid.defined()) {
    return fail(Code::InvalidArgument, "a pin without a CID");
  }
  if (!api::has_valid_text(pin)) {
    return fail(Code::Internal, "string field contains invalid UTF-8");  // the reference's words
  }
  if (operation.value->size() > kMaxPinBytes) {
    return fail(Code::TooLarge, "the pin of {} takes {} bytes, the limit is {}", pin.cid,
                operation.value->size(), kMaxPinBytes);
  }
  return operation;
}

}  // namespace

Task<Result<bool>> LocalPinset::replace(api::Pin before, api::Pin after) {
  CO_TRY(Operation operation, put_operation(after));
  operation.expected = api::encode_pin(before);
  auto impl = impl_;
  auto result = co_await submit(std::move(impl), std::move(operation));
  co_return result;
}

Task<Status> LocalPinset::put(api::Pin pin) {
  CO_TRY(Operation operation, put_operation(pin));
  auto impl = impl_;
  const auto result = co_await submit(std::move(impl), std::move(operation));
  if (!result) {
    co_return fail(result.error());
  }
  co_return Status();
}

Task<Result<bool>> LocalPinset::remove(Cid cid) {
  Operation operation;
  operation.cid = std::move(cid);
  auto impl = impl_;
  auto result = co_await submit(std::move(impl), std::move(operation));
  co_return result;
}

Result<std::optional<api::Pin>> LocalPinset::get(const Cid& cid,
                                                 const store::SnapshotPtr& snapshot) const {
  return impl_->replica.get(cid, snapshot);
}

Result<std::vector<api::Pin>> LocalPinset::page(const Cid& after, size_t limit,
                                                const store::SnapshotPtr& snapshot) const {
  return impl_->replica.page(after, limit, snapshot);
}

Result<std::vector<Cid>> LocalPinset::expired(Time now, size_t limit) const {
  return impl_->replica.expired(now, limit);
}

Result<std::optional<Time>> LocalPinset::next_expiry() const {
  return impl_->replica.next_expiry();
}

Result<std::vector<Cid>> LocalPinset::allocated_to(const PeerId& peer, const Cid& after,
                                                   size_t limit,
                                                   const store::SnapshotPtr& snapshot) const {
  return impl_->replica.allocated_to(peer, after, limit, snapshot);
}

Result<std::vector<Cid>> LocalPinset::crowded(const Cid& after, size_t limit,
                                              const store::SnapshotPtr& snapshot) const {
  return impl_->replica.crowded(after, limit, snapshot);
}

Result<std::vector<Cid>> LocalPinset::named(std::string_view name, const Cid& after, size_t limit,
                                            const store::SnapshotPtr& snapshot) const {
  return impl_->replica.named(name, after, limit, snapshot);
}

Result<std::vector<PeerId>> LocalPinset::allocated_peers() const {
  return impl_->replica.allocated_peers();
}

PinsetInfo LocalPinset::info() const {
  return impl_->replica.info();
}

void LocalPinset::observe(StateObserver& observer) {
  impl_->replica.observe(observer);
}

void LocalPinset::set_sink(NodeSink& sink) {
  impl_->sink = &sink;
}

size_t LocalPinset::queued() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->waiting.size();
}

void LocalPinset::hold() {
  const std::lock_guard lock(impl_->mutex);
  impl_->held = !impl_->closed;
}

void LocalPinset::release() {
  const std::lock_guard lock(impl_->mutex);
  impl_->held = false;
  if (!impl_->scheduled && !impl_->waiting.empty()) {
    impl_->scheduled = true;
    impl_->schedule(true);
  }
}

void LocalPinset::close() {
  std::deque<Operation> refused;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->closed = true;
    if (impl_->held) {
      refused = std::exchange(impl_->waiting, {});
    } else if (!impl_->waiting.empty()) {
      impl_->schedule(true);
    }
  }
  for (Operation& operation : refused) {
    operation.done(fail(Code::Closed, "the pinset is closing"));
  }
}

}  // namespace ica::crdt
