#pragma once

#include <memory>

#include "agent/ipfs/connector.h"

namespace ica::ipfs {

struct HttpConnectorOptions {
  Multiaddr node;  // /ip4/127.0.0.1/tcp/5001, /dns4/kubo/tcp/5001, /unix/run/kubo.sock
  // id, pin/ls, resolve, repo/stat, swarm/*, block/get, config: the whole call; for the streamed
  // pin/ls and block/put the longest silence.
  Duration request_timeout = std::chrono::minutes(5);
  Duration pin_timeout = std::chrono::minutes(2);  // pin/add without progress
  Duration unpin_timeout = std::chrono::hours(3);  // pin/rm and pin/update
  Duration repogc_timeout = std::chrono::hours(24);
  bool unpin_disable = false;
  size_t pool_size = 32;  // connections to Kubo
  // The prober that notices Kubo's return.
  Duration probe_first_delay = std::chrono::milliseconds(100);
  Duration probe_max_delay = std::chrono::seconds(10);
  Duration probe_timeout = std::chrono::seconds(10);
  uint64_t seed = 0;  // of the jitter; 0: from the system
  std::string user_agent;
};

class Transport;

// Kubo's RPC API over HTTP. When Kubo cannot be reached, one prober asks with growing pauses and
// everybody else fails at once with Unavailable and the words of the last failure, until it answers
// again. Starts by itself to look whether Kubo is there. Thread-safety: any thread.
class HttpConnector final : public Connector {
 public:
  // `executor` runs the prober. Fails when the address is not one that HTTP can go to.
  static Result<std::shared_ptr<HttpConnector>> create(HttpConnectorOptions options,
                                                       Executor executor);
  explicit HttpConnector(std::shared_ptr<Transport> transport);
  ~HttpConnector() override;  // ends the prober; running calls go on to their end

  Task<Result<api::IpfsId>> id(StopToken stop) override;
  Task<Result<std::string>> version(StopToken stop) override;
  Task<Status> pin(api::Pin pin, std::function<void(PinProgress)> on_progress,
                   StopToken stop) override;
  Task<Status> unpin(Cid cid, StopToken stop) override;
  Task<Result<PinKind>> pin_status(Cid cid, api::PinMode mode, StopToken stop) override;
  Task<Result<std::unique_ptr<BatchStream<ListedPin>>>> pin_ls(std::string type,
                                                               StopToken stop) override;
  Task<Result<RepoStat>> repo_stat(StopToken stop) override;
  Task<Result<uint64_t>> repo_objects(StopToken stop) override;
  Task<Result<std::vector<api::RepoGcKey>>> repo_gc(StopToken stop) override;
  Task<Result<std::vector<PeerId>>> swarm_peers(StopToken stop) override;
  Task<Status> swarm_connect(Multiaddr address, StopToken stop) override;
  Task<Result<Cid>> resolve(std::string path, StopToken stop) override;
  Task<Result<std::string>> config_key(std::string key, StopToken stop) override;
  Task<Result<Bytes>> block_get(Cid cid, StopToken stop) override;
  Task<Status> block_put(std::vector<BlockToPut> blocks, StopToken stop) override;
  Task<Result<std::unique_ptr<BlockSink>>> block_put_stream(StopToken stop) override;
  bool reachable() const override;
  std::vector<CallStats> call_stats() const override;
  BlockStats block_stats() const override;

 private:
  std::shared_ptr<Transport> transport_;
};

}  // namespace ica::ipfs
