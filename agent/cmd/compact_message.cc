#include "agent/cmd/compact_message.h"

#include "agent/cmd/pinset_protocol.h"
#include "common/codec/pbwire.h"

namespace ica::cmd {

Bytes encode_compact_command(const CompactCommand& command) {
  Bytes out;
  PbWriter writer(out);
  writer.varint(1, static_cast<uint64_t>(command.step))
      .varint_or_skip(2, command.number)
      .varint_or_skip(3, command.began)
      .bytes_or_skip(5, command.base);
  for (const PeerId& member : command.members) {
    writer.bytes(4, member.bytes());
  }
  for (const Bytes& digest : command.digests) {
    writer.bytes(6, digest);
  }
  return out;
}

Result<CompactCommand> decode_compact_command(BytesView message) {
  CompactCommand command;
  uint64_t step = 0;
  PbReader in(message);
  while (in.next()) {
    switch (in.field()) {
      case 1:
        step = in.varint();
        break;
      case 2:
        command.number = in.varint();
        break;
      case 3:
        command.began = in.varint();
        break;
      case 4: {
        TRY(auto member, PeerId::from_bytes(in.bytes()));
        command.members.push_back(std::move(member));
        break;
      }
      case 5:
        command.base = in.bytes();
        break;
      case 6:
        command.digests.emplace_back(in.bytes());
        break;
    }
    if (command.members.size() > CompactCommand::kMaxMembers) {
      return fail(Code::TooLarge, "more than {} peers in a compaction",
                  CompactCommand::kMaxMembers);
    }
    if (command.digests.size() > CompactCommand::kMaxDigests) {
      return fail(Code::TooLarge, "more than {} nodes are asked for", CompactCommand::kMaxDigests);
    }
  }
  TRY_VOID(in.status());
  if (step < static_cast<uint64_t>(CompactStep::Look) ||
      step > static_cast<uint64_t>(CompactStep::Known)) {
    return fail(Code::InvalidArgument, "step {} of a compaction is not known here", step);
  }
  command.step = static_cast<CompactStep>(step);
  return command;
}

Bytes encode_compact_answer(const CompactAnswer& answer) {
  Bytes out;
  PbWriter(out)
      .bytes_or_skip(1, answer.error)
      .bytes(2, encode_pinset_info(answer.info))
      .bytes_or_skip(3, answer.heads)
      .bytes(4, crdt::encode_epoch(answer.epoch))
      .bytes_or_skip(5, answer.known);
  return out;
}

Result<CompactAnswer> decode_compact_answer(BytesView message) {
  CompactAnswer answer;
  PbReader in(message);
  while (in.next()) {
    switch (in.field()) {
      case 1:
        answer.error = in.bytes();
        break;
      case 2: {
        TRY(answer.info, decode_pinset_info(in.bytes()));
        break;
      }
      case 3:
        answer.heads = in.bytes();
        break;
      case 4: {
        TRY(answer.epoch, crdt::decode_epoch(in.bytes()));
        break;
      }
      case 5:
        answer.known = in.bytes();
        break;
    }
  }
  TRY_VOID(in.status());
  return answer;
}

}  // namespace ica::cmd
