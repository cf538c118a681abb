#include "agent/ipfs/watchdog.h"

#include "common/base/async.h"

namespace ica::ipfs {

namespace {

int64_t steady_nanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Watchdog::Watchdog(Duration limit, bool armed)
    : limit_(limit), armed_(armed), touched_(steady_nanos()) {}

Watchdog::~Watchdog() {
  parent_.reset();
}

std::shared_ptr<Watchdog> Watchdog::make(Executor executor, Duration limit, StopToken parent,
                                         bool armed) {
  auto dog = std::make_shared<Watchdog>(limit, armed);
  dog->parent_ = std::make_unique<std::stop_callback<PassOn>>(std::move(parent), PassOn{dog.get()});
  if (limit > Duration::zero()) {
    spawn(std::move(executor), watch(dog), "a watchdog");
  }
  return dog;
}

void Watchdog::touch() {
  touched_ = steady_nanos();
}

void Watchdog::arm(bool armed) {
  touch();
  armed_ = armed;
}

void Watchdog::done() {
  done_.request_stop();
}

void Watchdog::stop() {
  stop_.request_stop();
  done_.request_stop();
}

Task<void> Watchdog::watch(std::shared_ptr<Watchdog> self) {
  while (true) {
    Duration left = self->limit_;
    if (self->armed_) {
      left = Duration(self->touched_ + self->limit_.count() - steady_nanos());
      if (left <= Duration::zero()) {
        self->fired_ = true;
        self->stop_.request_stop();
        co_return;
      }
    }
    const Status slept = co_await sleep_for(left, self->done_.get_token());
    if (!slept) {
      co_return;
    }
  }
}

}  // namespace ica::ipfs
