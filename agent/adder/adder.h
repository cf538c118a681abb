#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/adder/part_source.h"
#include "common/api/peer.h"
#include "common/api/pin.h"
#include "common/base/asio.h"
#include "common/codec/cid.h"

namespace ica::adder {

enum class Layout { Balanced, Trickle };
enum class Format { UnixFs, Car };

// The query of POST /add (facts: the options of the reference with the reference's defaults).
struct AddOptions {
  api::PinOptions pin;
  Format format = Format::UnixFs;
  Layout layout = Layout::Balanced;
  std::string chunker = "size-262144";  // checked by add()
  bool raw_leaves = false;              // already true for cid_version > 0 unless asked otherwise
  int cid_version = 0;                  // checked by add()
  std::string hash = "sha2-256";        // lower case; checked by add()
  bool wrap_with_directory = false;
  bool local = false;
  bool no_pin = false;
  // Only files that say where they come from are taken. They are stored like any other: what a Kubo
  // of another machine cannot read it cannot refer to.
  bool no_copy = false;
  bool progress = false;
  bool shard = false;
};

struct Block {
  Cid cid;
  Bytes data;
};

// Where the blocks and the final pin go; the cluster behind it. One target serves one add.
// Thread-safety: one call at a time, on the executor of the coroutine that runs add().
class AddTarget {
 public:
  virtual ~AddTarget() = default;
  virtual PeerId self() const = 0;
  // Chooses peers for content with these options; for "everywhere" all members, in the order shown
  // to users. Fails with the words of a refused pin. Called with the first block, not before.
  virtual Task<Result<std::vector<PeerId>>> allocate(api::PinOptions options) = 0;
  // Sends blocks to every destination and waits while all of them are slow. Other destinations than
  // those of the last call end the sending to those. Fails with "failed to put block on all
  // destinations" when it is known that none of them takes the blocks, perhaps blocks of earlier
  // calls.
  virtual Task<Status> put_blocks(std::vector<PeerId> destinations, std::vector<Block> blocks) = 0;
  // Waits until the blocks sent so far are stored. Ok when at least one destination has all of
  // them.
  virtual Task<Status> finish_blocks() = 0;
  // The same, then pins with the given allocations (cleared here when the pin is "everywhere").
  virtual Task<Status> pin(api::Pin pin) = 0;
};

// Takes the lines of the answer as they become known.
class OutputSink {
 public:
  virtual ~OutputSink() = default;
  // Waits while the client is slow; fails with Closed when it is gone.
  virtual Task<Status> put(api::AddedOutput line) = 0;
};

// Imports all parts as one add of the reference: builds the DAG, hands blocks on in bounded
// batches, writes one line per file and directory (children before parents, root last), then pins
// the last root unless no_pin. Returns that root, undefined when there were no parts. Constant
// memory apart from the directory tree.
//   Destinations: allocate() once, with the first block; `local` puts blocks on this peer only,
//   which takes the place of the last allocation when it is not among them and no user allocations
//   are given. With `shard` each shard is allocated and pinned by itself.
// Errors: the reference's words ("unrecognized chunker option: x", "bad CID Version: unknown CID
// version: 2", "invalid cid: invalid v0 prefix", "cannot wrap a CAR file upload", ...); Cancelled.
// The references must live until it returns. Hashing runs on `cpu`, everything else (and every call
// of the three interfaces) on the caller's executor.
Task<Result<Cid>> add(AddOptions options, PartSource& parts, AddTarget& target, OutputSink& output,
                      Executor cpu, StopToken stop);

}  // namespace ica::adder
