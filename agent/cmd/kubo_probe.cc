#include "agent/cmd/kubo_probe.h"

#include "common/base/async.h"

namespace ica::cmd {
namespace {

// Gives up on `question` after a while, unless it is done before.
Task<void> give_up_later(StopSource question, Duration patience, StopToken done) {
  const Status waited = co_await sleep_for(patience, done);
  if (waited) {
    question.request_stop();
  }
}

struct StopQuestion {
  StopSource question;
  void operator()() { question.request_stop(); }
};

}  // namespace

Task<void> KuboProbe::run(std::shared_ptr<KuboProbe> self, StopToken stop) {
  const Executor executor = co_await asio::this_coro::executor;
  while (!stop.stop_requested()) {
    StopSource question;
    StopSource done;
    {
      const std::stop_callback on_stop(stop, StopQuestion{question});
      spawn(executor, give_up_later(question, kPatience, done.get_token()),
            "Kubo probe's deadline");
      const auto id = co_await self->connector_->id(question.get_token());
      self->answers_.store(id.has_value());
    }
    done.request_stop();
    const Status slept = co_await sleep_for(kPeriod, stop);
    if (!slept) {
      break;
    }
  }
}

}  // namespace ica::cmd
