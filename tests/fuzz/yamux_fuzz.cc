#include "agent/p2p/yamux.h"
#include "common/base/async.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/script_channel.h"

using namespace ica;
using namespace ica::p2p;

namespace {

Task<void> use(yamux::YamuxStreamPtr stream, size_t most) {
  size_t count = 0;
  while (count < most) {
    auto piece = co_await stream->read_some(1000);
    if (!piece || piece->empty()) {
      co_return;
    }
    count += piece->size();
    auto written = co_await stream->write(*std::move(piece));
    if (!written) {
      co_return;
    }
  }
  auto closed = co_await stream->close_write();
  static_cast<void>(closed);
}

}  // namespace

// A session of a remote that sends what it likes. Its streams are read to the end, in part, or not
// at all.
ICA_FUZZ(BytesView input) {
  if (auto decoded = yamux::decode_header(input.substr(0, yamux::kHeaderSize))) {
    const auto bytes = yamux::encode(*decoded);
    ICA_ASSERT(BytesView(bytes.data(), bytes.size()) == input.substr(0, yamux::kHeaderSize));
  }
  asio::io_context context;
  auto channel = std::make_shared<ScriptChannel>(input);
  yamux::Options options;
  options.max_inbound_streams = 8;
  options.max_receive_bytes = 1 << 20;
  const bool dialler = !input.empty() && (input.back() & 1) != 0;
  auto session =
      std::make_shared<yamux::Session>(channel, dialler, context.get_executor(), options);
  std::vector<yamux::YamuxStreamPtr> held;
  int closes = 0;
  session->start(
      [&](yamux::YamuxStreamPtr stream) {
        switch (stream->id() / 2 % 4) {
          case 0:
            break;  // dropped at once
          case 1:
            held.push_back(std::move(stream));
            break;
          default:
            spawn(context.get_executor(), use(std::move(stream), 5000), "fuzzing");
        }
      },
      [&](const Error&) { ++closes; });
  if (auto own = session->open()) {
    spawn(context.get_executor(), use(*own, 5000), "fuzzing");
  }
  for (int i = 0; i < 100'000 && context.poll_one() > 0; ++i) {
    ICA_ASSERT(session->inbound_streams() <= options.max_inbound_streams);
  }
  session->close();
  held.clear();
  session->close();
  for (int i = 0; i < 100'000 && context.poll_one() > 0; ++i) {
  }
  ICA_ASSERT(closes == 1);
  ICA_ASSERT(session->streams() == 0);
}
