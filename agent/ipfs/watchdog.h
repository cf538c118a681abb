#pragma once

#include <atomic>
#include <memory>

#include "common/base/asio.h"
#include "common/base/time.h"

namespace ica::ipfs {

// Stops work that stands still. While armed, `limit` without touch() requests a stop through
// token(); a stop of `parent` is passed on. Create it inside a coroutine with make(), end it with
// done(). Thread-safety: any thread.
class Watchdog {
 public:
  static std::shared_ptr<Watchdog> make(Executor executor, Duration limit, StopToken parent,
                                        bool armed);
  ~Watchdog();

  void touch();
  // A disarmed watchdog never fires; arming counts as a touch.
  void arm(bool armed);
  void done();
  // Requests the stop now, and ends it.
  void stop();
  bool fired() const { return fired_; }
  StopToken token() const { return stop_.get_token(); }

  Watchdog(Duration limit, bool armed);

 private:
  struct PassOn {
    Watchdog* self;
    void operator()() const { self->stop_.request_stop(); }
  };
  static Task<void> watch(std::shared_ptr<Watchdog> self);

  const Duration limit_;
  std::atomic<bool> armed_;
  std::atomic<bool> fired_ = false;
  std::atomic<int64_t> touched_;  // steady clock, ns
  StopSource stop_;
  StopSource done_;
  std::unique_ptr<std::stop_callback<PassOn>> parent_;
};

}  // namespace ica::ipfs
