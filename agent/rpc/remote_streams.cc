// Calls with many answers, and with many arguments.
#include "agent/rpc/exchange.h"
#include "common/base/async.h"

namespace ica::rpc {
namespace {

constexpr size_t kBatch = 256;
constexpr size_t kBlocksPerWrite = 256 << 10;

using Infos = std::vector<api::PinInfo>;

// Waits for one answer and takes along what has arrived with it.
Task<Result<Infos>> read_infos(ClientPtr client, ExchangePtr exchange) {
  const size_t max = client->options.max_answer;
  Infos out;
  exchange->set_limit(client->options.stall_limit);
  auto first = co_await exchange->answer(max);
  Result<std::optional<BytesView>> bytes = std::move(first);
  while (bytes && bytes->has_value()) {
    auto info = decode<api::PinInfo>(**bytes);
    if (!info) {
      bytes = exchange->refuse(std::move(info.error()));
      break;
    }
    out.push_back(std::move(*info));
    if (out.size() >= kBatch) {
      co_return out;
    }
    bytes = exchange->buffered_answer(max);
  }
  // An error after good answers shows at the next call.
  if (!bytes && out.empty()) {
    co_return fail(std::move(bytes.error()));
  }
  co_return out;
}

class RemoteInfos final : public cluster::Stream<api::PinInfo> {
 public:
  RemoteInfos(ClientPtr client, ExchangePtr exchange, StopToken stop)
      : client_(std::move(client)),
        exchange_(std::move(exchange)),
        stop_(std::move(stop)),
        on_stop_(stop_, ResetStream{exchange_->stream()}) {}

  ~RemoteInfos() override {
    // The stream goes where it lives; one that has not ended is reset there.
    const Executor executor = exchange_->stream()->executor();
    const bool ended = ended_;
    asio::post(executor, [exchange = std::move(exchange_), ended] {
      if (!ended) {
        exchange->stream()->reset();
      }
    });
  }

  Task<Result<Infos>> next() override {
    if (ended_) {
      co_return Infos();
    }
    auto batch =
        co_await on_executor(exchange_->stream()->executor(), read_infos(client_, exchange_));
    if (!batch) {
      co_return fail(call_error(std::move(batch.error()), stop_));
    }
    ended_ = batch->empty();
    co_return batch;
  }

 private:
  const ClientPtr client_;
  ExchangePtr exchange_;
  const StopToken stop_;
  const std::stop_callback<ResetStream> on_stop_;
  bool ended_ = false;
};

// What a peer says while it takes blocks: nothing until the end, or why it stopped.
struct Upload {
  explicit Upload(ExchangePtr e)
      : exchange(std::move(e)), answered(exchange->stream()->executor()) {}
  const ExchangePtr exchange;
  Event answered;
  std::optional<Status> outcome;
};

Task<Status> read_outcome(ClientPtr client, ExchangePtr exchange) {
  while (true) {
    auto bytes = co_await exchange->answer(client->options.max_answer);
    if (!bytes) {
      co_return fail(std::move(bytes.error()));
    }
    if (!bytes->has_value()) {
      co_return Status();
    }
  }
}

Task<void> wait_for_outcome(ClientPtr client, std::shared_ptr<Upload> upload) {
  Status outcome = co_await read_outcome(client, upload->exchange);
  if (!outcome) {
    upload->exchange->stream()->reset();  // ends a write that nobody will read
  }
  upload->outcome = std::move(outcome);
  upload->answered.notify_all();
}

Task<Status> send_blocks(ClientPtr client, ExchangePtr exchange,
                         std::vector<ipfs::BlockToPut> blocks) {
  auto upload = std::make_shared<Upload>(exchange);
  const p2p::StreamPtr stream = exchange->stream();
  spawn(stream->executor(), wait_for_outcome(client, upload), "rpc blocks");
  const ServiceId method{"IPFSConnector", "BlockStream"};
  Bytes out = encode(method);
  Status sent;
  for (ipfs::BlockToPut& block : blocks) {
    const size_t size = block.data.size();
    const NodeWithMeta node{std::move(block.data), std::move(block.cid), size};
    write(out, node);
    if (out.size() < kBlocksPerWrite) {
      continue;
    }
    exchange->set_limit(client->options.stall_limit);
    Bytes data;
    data.swap(out);
    sent = co_await stream->write(std::move(data));
    if (!sent) {
      break;
    }
  }
  if (sent) {
    exchange->set_limit(client->options.stall_limit);
    sent = co_await stream->write(std::move(out));
  }
  if (sent) {
    sent = co_await stream->close_write();
  }
  if (!sent) {
    stream->reset();
  }
  while (!upload->outcome) {
    (void)co_await upload->answered.wait(client->options.stall_limit);
  }
  if (!sent && *upload->outcome) {
    co_return sent;
  }
  co_return *upload->outcome;
}

}  // namespace

cluster::StreamPtr<api::PinInfo> remote_infos(ClientPtr client, ExchangePtr exchange,
                                              StopToken stop) {
  return std::make_unique<RemoteInfos>(std::move(client), std::move(exchange), std::move(stop));
}

Task<Status> put_remote_blocks(ClientPtr client, PeerId peer, std::vector<ipfs::BlockToPut> blocks,
                               StopToken stop) {
  std::vector<std::string> protocols{std::string(api::kRpcProtocol)};
  auto exchange = co_await open_exchange(client, std::move(peer), std::move(protocols),
                                         client->options.dial_limit, stop);
  if (!exchange) {
    co_return fail(std::move(exchange.error()));
  }
  const p2p::StreamPtr stream = (*exchange)->stream();
  const std::stop_callback<ResetStream> on_stop(stop, ResetStream{stream});
  auto outcome =
      co_await on_executor(stream->executor(), send_blocks(client, *exchange, std::move(blocks)));
  if (!outcome) {
    co_return fail(call_error(std::move(outcome.error()), stop));
  }
  co_return Status();
}

}  // namespace ica::rpc
