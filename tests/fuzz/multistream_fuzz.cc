#include "agent/p2p/multistream.h"
#include "common/base/async.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/script_channel.h"

using namespace ica;
using namespace ica::p2p;

namespace {

Task<void> listen(std::shared_ptr<ScriptChannel> raw) {
  BufferedChannel channel(raw);
  const std::function<bool(std::string_view)> accept = [](std::string_view name) {
    return name == "/noise" || name.size() == 3;
  };
  auto agreed = co_await negotiate_inbound(channel, accept);
  ICA_ASSERT(!agreed || *agreed == "/noise" || agreed->size() == 3);
}

Task<void> dial(std::shared_ptr<ScriptChannel> raw) {
  BufferedChannel channel(raw);
  const std::vector<std::string> proposals = {"/noise", "/tls/1.0.0"};
  auto agreed = co_await negotiate_outbound(channel, proposals);
  ICA_ASSERT(!agreed || *agreed == "/noise" || *agreed == "/tls/1.0.0");
}

Task<void> read_lazily(std::shared_ptr<ScriptChannel> raw) {
  BufferedChannel channel(raw);
  auto read = co_await read_lazy_answer(channel, "/noise");
  static_cast<void>(read);
}

}  // namespace

ICA_FUZZ(BytesView input) {
  for (int role = 0; role < 3; ++role) {
    asio::io_context context;
    auto channel = std::make_shared<ScriptChannel>(input);
    spawn(context.get_executor(),
          role == 0   ? listen(channel)
          : role == 1 ? dial(channel)
                      : read_lazily(channel),
          "fuzzing");
    context.run();
    // However much it is asked, it answers in proportion.
    ICA_ASSERT(channel->written() <= 100'000);
  }
}
