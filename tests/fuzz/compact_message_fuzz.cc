#include "agent/cmd/compact_message.h"
#include "agent/cmd/pinset_protocol.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;

ICA_FUZZ(BytesView input) {
  if (const auto command = cmd::decode_compact_command(input)) {
    const Bytes again = cmd::encode_compact_command(*command);
    ICA_ASSERT(cmd::encode_compact_command(cmd::decode_compact_command(again).value()) == again);
  }
  if (const auto answer = cmd::decode_compact_answer(input)) {
    const Bytes again = cmd::encode_compact_answer(*answer);
    ICA_ASSERT(cmd::encode_compact_answer(cmd::decode_compact_answer(again).value()) == again);
  }
  const auto info = cmd::decode_pinset_info(input);
  const auto epoch = cmd::decode_pinset_history(input);
  if (info && epoch) {
    const Bytes again = cmd::encode_pinset_state(*info, *epoch);
    const Bytes announced = crdt::announced_history(*epoch);
    ICA_ASSERT(crdt::announced_history(cmd::decode_pinset_history(again).value()) == announced);
  }
}
