#pragma once

#include <string>
#include <vector>

#include "agent/crdt/epoch.h"
#include "agent/crdt/pinset.h"
#include "common/codec/peer_id.h"

namespace ica::cmd {

// What peers say to each other when the history of the pinset is begun anew (docs/compaction.md).

enum class CompactStep {
  Look = 1,    // how does the pinset stand
  Freeze = 2,  // no change of one's own from here on
  Build = 3,   // write the short history beside the present one, and take nothing in meanwhile
  Commit = 4,  // put it into its place
  Cancel = 5,  // it is called off
  Known = 6,   // which of these nodes were merged, in this history or the one before
};

struct CompactCommand {
  static constexpr size_t kMaxMembers = 4096;
  static constexpr size_t kMaxDigests = 1024;
  static constexpr size_t kMaxBytes = 256 << 10;
  CompactStep step = CompactStep::Look;
  uint64_t number = 0;          // of the history that is to begin; Freeze
  uint64_t began = 0;           // seconds since 1970; Freeze
  std::vector<PeerId> members;  // who takes part; Freeze
  Bytes base;                   // what all have built; Commit
  std::vector<Bytes> digests;   // of nodes; Known
};
Bytes encode_compact_command(const CompactCommand& command);
// Errors: InvalidArgument, TooLarge.
Result<CompactCommand> decode_compact_command(BytesView message);

struct CompactAnswer {
  static constexpr size_t kMaxBytes = 4 << 10;
  std::string error;  // empty: it is done
  crdt::PinsetInfo info;
  Bytes heads;        // hash over the digests of all heads
  crdt::Epoch epoch;  // of the present history; after Build of the one that was built
  Bytes known;        // a byte for each digest that was asked for, 1: merged
};
Bytes encode_compact_answer(const CompactAnswer& answer);
Result<CompactAnswer> decode_compact_answer(BytesView message);

}  // namespace ica::cmd
