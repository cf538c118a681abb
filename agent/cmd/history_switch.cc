#include "agent/cmd/history_switch.h"

#include "agent/crdt/compact.h"
#include "common/base/async.h"
#include "common/base/log.h"
#include "common/base/offload.h"

namespace ica::cmd {

namespace {

constexpr size_t kBuildMemory = 16 << 20;

Result<crdt::Epoch> write_beside(const store::Store& from, const std::filesystem::path& folder,
                                 const crdt::Epoch& next, std::unique_ptr<store::Store>& out) {
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  TRY(out, store::Store::open({.path = folder, .memory_budget = kBuildMemory}));
  return crdt::write_short_history(from, *out, next);
}

// The old history is hidden, and its space comes back when the tables are merged.
Status give_space_back(store::Store& store) {
  for (const store::Family family : crdt::short_history_content().families) {
    TRY_VOID(store.compact(family));
  }
  return {};
}

}  // namespace

HistorySwitch::HistorySwitch(Needs needs) : needs_(std::move(needs)) {
  std::error_code ignored;  // nothing is lost with what a killed process left there
  std::filesystem::remove_all(needs_.fresh, ignored);
}

HistorySwitch::~HistorySwitch() = default;

bool HistorySwitch::claim() {
  const std::lock_guard lock(mutex_);
  return !std::exchange(claimed_, true);
}

bool HistorySwitch::claimed() const {
  const std::lock_guard lock(mutex_);
  return claimed_;
}

Task<void> HistorySwitch::freeze(HistorySwitch* self) {
  const Executor home = co_await asio::this_coro::executor;
  self->needs_.pinset.hold();
  co_await resume_on(self->needs_.state);  // behind the commit that runs
  co_await resume_on(home);
}

Task<Result<crdt::Epoch>> HistorySwitch::build(HistorySwitch* self, crdt::Epoch next) {
  const Executor home = co_await asio::this_coro::executor;
  co_await resume_on(self->needs_.state);
  self->needs_.driver.seal();
  self->sealed_ = true;
  co_await resume_on(self->needs_.disk);
  auto built = write_beside(self->needs_.store, self->needs_.fresh, next, self->built_);
  co_await resume_on(home);
  co_return built;
}

Task<Status> HistorySwitch::commit(HistorySwitch* self) {
  const Executor home = co_await asio::this_coro::executor;
  co_await resume_on(self->needs_.disk);
  Status done = self->needs_.store.replace(crdt::short_history_content(), *self->built_);
  co_await resume_on(self->needs_.state);
  if (done) {
    self->changed_ = true;
    done = self->needs_.replica.reload();
  }
  co_await resume_on(home);
  co_return done;
}

Task<void> HistorySwitch::release(HistorySwitch* self) {
  const Executor home = co_await asio::this_coro::executor;
  co_await resume_on(self->needs_.state);
  if (std::exchange(self->sealed_, false)) {
    self->needs_.driver.unseal();
  }
  self->needs_.pinset.release();
  co_await resume_on(home);
}

Task<void> HistorySwitch::end(HistorySwitch* self) {
  const Executor home = co_await asio::this_coro::executor;
  co_await release(self);
  co_await resume_on(self->needs_.disk);
  self->built_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(self->needs_.fresh, ignored);
  if (std::exchange(self->changed_, false)) {
    if (const Status given = give_space_back(self->needs_.store); !given) {
      log_warn("crdt", "the space of the old history comes back later: {}",
               given.error().message());
    }
  }
  {
    const std::lock_guard lock(self->mutex_);
    self->claimed_ = false;
  }
  co_await resume_on(home);
}

}  // namespace ica::cmd
