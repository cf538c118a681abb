#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/ipfs/call_stats.h"
#include "common/api/peer.h"
#include "common/api/pin.h"
#include "common/base/asio.h"
#include "common/base/time.h"

namespace ica::ipfs {

// How Kubo holds a CID. Values as in the reference's IPFSPinStatus.
enum class PinKind { Error = 1, Direct = 2, Recursive = 3, Indirect = 4, Unpinned = 5 };

// Why a pin did not work; kept with its status and shown by `status -v`.
enum class Reason { None, NoProviders, Stalled, KuboDown, KuboError, Cancelled, DiskFull };
std::string_view to_string(Reason reason);  // "NO_PROVIDERS", ...

struct PinProgress {
  uint64_t nodes = 0;
  uint64_t bytes = 0;  // 0 before Kubo 0.40, which does not tell
};

struct RepoStat {
  uint64_t repo_size = 0;
  uint64_t storage_max = 0;
};

struct ListedPin {
  Cid cid;
  PinKind kind = PinKind::Recursive;
};

struct BlockToPut {
  Cid cid;
  Bytes data;
};

// One Kubo answer, passed on as it comes.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  virtual Task<Result<std::optional<Bytes>>> read() = 0;
};

// A stream of items in batches; an empty batch is the clean end.
template <typename T>
class BatchStream {
 public:
  virtual ~BatchStream() = default;
  virtual Task<Result<std::vector<T>>> next() = 0;
};

// Many blocks into Kubo through one request. Destroying it without finish() ends the request;
// blocks already taken may stay in Kubo. Thread-safety: one coroutine at a time.
class BlockSink {
 public:
  virtual ~BlockSink() = default;
  // Returns when the block is on its way; waits while Kubo reads slower than we write. Blocks of
  // codecs other than raw and dag-pb, when several follow each other, are stored under the codec
  // and hash of the first of them (their multihashes still match).
  virtual Task<Status> write(BlockToPut block) = 0;
  // Ok when Kubo has confirmed every block.
  virtual Task<Status> finish() = 0;
};

// Everything that we ask of the one Kubo beside us. Errors carry the reference's words; codes:
// Unavailable (cannot connect, or the breaker is open), Timeout, Cancelled, NotFound, TooLarge,
// Protocol (Kubo speaks nonsense or hangs up), Internal (Kubo said no). Thread-safety: any thread.
class Connector {
 public:
  virtual ~Connector() = default;

  virtual Task<Result<api::IpfsId>> id(StopToken stop) = 0;
  virtual Task<Result<std::string>> version(StopToken stop) = 0;
  // Asks first and is done when Kubo holds it already; connects Kubo to the origins in the
  // background; follows pin_update when its source is pinned. Times out ("context canceled") when
  // the progress stands still; `on_progress` is called on the caller's executor.
  virtual Task<Status> pin(api::Pin pin, std::function<void(PinProgress)> on_progress,
                           StopToken stop) = 0;
  virtual Task<Status> unpin(Cid cid, StopToken stop) = 0;
  virtual Task<Result<PinKind>> pin_status(Cid cid, api::PinMode mode, StopToken stop) = 0;
  // type: "recursive", "direct"
  virtual Task<Result<std::unique_ptr<BatchStream<ListedPin>>>> pin_ls(std::string type,
                                                                       StopToken stop) = 0;
  virtual Task<Result<RepoStat>> repo_stat(StopToken stop) = 0;
  // How many objects the repository holds. Kubo reads its whole index for that: ask seldom.
  // Unsupported where it cannot be told.
  virtual Task<Result<uint64_t>> repo_objects(StopToken stop);
  virtual Task<Result<std::vector<api::RepoGcKey>>> repo_gc(StopToken stop) = 0;
  virtual Task<Result<std::vector<PeerId>>> swarm_peers(StopToken stop) = 0;
  virtual Task<Status> swarm_connect(Multiaddr address, StopToken stop) = 0;
  // The CID that a path such as /ipns/example.org/a ends at.
  virtual Task<Result<Cid>> resolve(std::string path, StopToken stop) = 0;
  // A value of Kubo's configuration by dotted or slashed key, as JSON text.
  virtual Task<Result<std::string>> config_key(std::string key, StopToken stop) = 0;
  virtual Task<Result<Bytes>> block_get(Cid cid, StopToken stop) = 0;
  virtual Task<Status> block_put(std::vector<BlockToPut> blocks, StopToken stop) = 0;
  virtual Task<Result<std::unique_ptr<BlockSink>>> block_put_stream(StopToken stop) = 0;

  // Whether the last call reached Kubo; cheap, for probes and metrics. False before the first
  // answer.
  virtual bool reachable() const = 0;
  // Calls so far, by verb and outcome; for metrics.
  virtual std::vector<CallStats> call_stats() const = 0;
  // Blocks handed to Kubo so far; for metrics.
  virtual BlockStats block_stats() const { return {}; }
  // Why `pin` failed, from its error and how far it had come.
  static Reason reason_of(const Error& error, const PinProgress& progress = {});
};

}  // namespace ica::ipfs
