#include "agent/p2p/multistream.h"
#include "agent/p2p/upgrade.h"
#include "common/base/async.h"
#include "common/crypto/psk.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/script_channel.h"

using namespace ica;
using namespace ica::p2p;

namespace {

UpgradeOptions options(bool dialler, bool secret) {
  static const PrivateKey key = PrivateKey::from_seed(Bytes(32, 'k'));
  UpgradeOptions o(key);
  o.dialler = dialler;
  if (secret) {
    o.secrets.push_back(Bytes(kPskBytes, 's'));
    o.secrets.push_back(Bytes(kPskBytes, 't'));
  }
  return o;
}

Task<void> run(std::shared_ptr<ScriptChannel> channel, UpgradeOptions o, bool* ended) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + std::chrono::hours(1);
  const ChannelPtr raw = channel;
  auto upgraded = co_await upgrade(raw, std::move(o), deadline, {});
  // Nobody guesses a signature.
  ICA_ASSERT(!upgraded.has_value());
  *ended = true;
}

// One whole handshake whose other side says `bytes` and hangs up.
void handshake(BytesView bytes, bool dialler, bool secret) {
  asio::io_context context;
  auto channel = std::make_shared<ScriptChannel>(bytes);
  bool ended = false;
  spawn(context.get_executor(), run(channel, options(dialler, secret), &ended), "fuzzing");
  context.run();
  ICA_ASSERT(ended);
  ICA_ASSERT(channel->written() <= 100'000);
}

}  // namespace

// The first byte chooses the role and what the input is: raw bytes of the connection, or what a
// holder of the secret would have encrypted.
ICA_FUZZ(BytesView input) {
  if (input.empty()) {
    return;
  }
  const auto kind = static_cast<uint8_t>(input[0]);
  const bool dialler = (kind & 1) != 0;
  input.remove_prefix(1);
  switch (kind / 2 % 3) {
    case 0:
      handshake(input, dialler, true);
      break;
    case 1: {
      const Bytes nonce(kPskNonceBytes, 'n');
      Bytes sealed = multistream_message(kMultistreamHeader) + Bytes(input);
      PskStream(Bytes(kPskBytes, 's'), nonce).apply(sealed);
      handshake(nonce + sealed, dialler, true);
      break;
    }
    default:
      handshake(input, dialler, false);
  }
}
