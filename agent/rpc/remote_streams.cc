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
  Upload(ClientPtr c, ExchangePtr e)
      : client(std::move(c)), exchange(std::move(e)), answered(exchange->stream()->executor()) {}
  const ClientPtr client;
  const ExchangePtr exchange;
  Event answered;
  std::optional<Status> outcome;
  Bytes out;  // ready to be sent
};
using UploadPtr = std::shared_ptr<Upload>;

Task<Status> read_outcome(UploadPtr upload) {
  while (true) {
    auto bytes = co_await upload->exchange->answer(upload->client->options.max_answer);
    if (!bytes) {
      co_return fail(std::move(bytes.error()));
    }
    if (!bytes->has_value()) {
      co_return Status();
    }
  }
}

Task<void> wait_for_outcome(UploadPtr upload) {
  Status outcome = co_await read_outcome(upload);
  if (!outcome) {
    upload->exchange->stream()->reset();  // ends a write that nobody will read
  }
  upload->outcome = std::move(outcome);
  upload->answered.notify_all();
}

Task<Status> begin_upload(UploadPtr upload) {
  upload->exchange->set_limit(Duration::zero());
  spawn(upload->exchange->stream()->executor(), wait_for_outcome(upload), "rpc blocks");
  upload->out = encode(ServiceId{"IPFSConnector", "BlockStream"});
  co_return Status();
}

// What the peer said comes before what our own end of the stream made of it.
Task<Status> failure(UploadPtr upload, Status sent) {
  upload->exchange->stream()->reset();
  while (!upload->outcome) {
    (void)co_await upload->answered.wait(upload->client->options.stall_limit);
  }
  co_return *upload->outcome ? std::move(sent) : *upload->outcome;
}

Task<Status> send_out(UploadPtr upload) {
  Bytes data;
  data.swap(upload->out);
  upload->exchange->set_limit(upload->client->options.stall_limit);
  Status sent = co_await upload->exchange->stream()->write(std::move(data));
  upload->exchange->set_limit(Duration::zero());  // the next block may take its time
  if (!sent) {
    co_return co_await failure(upload, std::move(sent));
  }
  co_return sent;
}

Task<Status> send_block(UploadPtr upload, ipfs::BlockToPut block) {
  if (upload->outcome && !*upload->outcome) {
    co_return *upload->outcome;
  }
  const size_t size = block.data.size();
  const NodeWithMeta node{std::move(block.data), std::move(block.cid), size};
  write(upload->out, node);
  if (upload->out.size() < kBlocksPerWrite) {
    co_return Status();
  }
  co_return co_await send_out(upload);
}

Task<Status> end_upload(UploadPtr upload) {
  Status sent;
  if (!upload->out.empty()) {
    sent = co_await send_out(upload);
  }
  if (!sent) {
    co_return sent;
  }
  upload->exchange->set_limit(upload->client->options.stall_limit);
  Status closed = co_await upload->exchange->stream()->close_write();
  if (!closed) {
    co_return co_await failure(upload, std::move(closed));
  }
  while (!upload->outcome) {
    (void)co_await upload->answered.wait(upload->client->options.stall_limit);
  }
  co_return *upload->outcome;
}

class RemoteBlocks final : public ipfs::BlockSink {
 public:
  RemoteBlocks(UploadPtr upload, StopToken stop)
      : upload_(std::move(upload)),
        stop_(std::move(stop)),
        on_stop_(stop_, ResetStream{upload_->exchange->stream()}) {}

  ~RemoteBlocks() override {
    const Executor executor = upload_->exchange->stream()->executor();
    asio::post(executor, [upload = std::move(upload_)] {
      if (!upload->outcome) {
        upload->exchange->stream()->reset();
      }
    });
  }

  Task<Status> write(ipfs::BlockToPut block) override {
    Status sent = co_await on_executor(upload_->exchange->stream()->executor(),
                                       send_block(upload_, std::move(block)));
    co_return worded(std::move(sent));
  }

  Task<Status> finish() override {
    Status done =
        co_await on_executor(upload_->exchange->stream()->executor(), end_upload(upload_));
    co_return worded(std::move(done));
  }

 private:
  Status worded(Status status) const {
    if (!status) {
      return fail(call_error(std::move(status.error()), stop_));
    }
    return status;
  }

  UploadPtr upload_;
  const StopToken stop_;
  const std::stop_callback<ResetStream> on_stop_;
};

}  // namespace

cluster::StreamPtr<api::PinInfo> remote_infos(ClientPtr client, ExchangePtr exchange,
                                              StopToken stop) {
  return std::make_unique<RemoteInfos>(std::move(client), std::move(exchange), std::move(stop));
}

Task<Result<std::unique_ptr<ipfs::BlockSink>>> open_remote_blocks(ClientPtr client, PeerId peer,
                                                                  StopToken stop) {
  std::vector<std::string> protocols{std::string(api::kRpcProtocol)};
  auto exchange = co_await open_exchange(client, std::move(peer), std::move(protocols),
                                         client->options.dial_limit, stop);
  if (!exchange) {
    co_return fail(std::move(exchange.error()));
  }
  auto upload = std::make_shared<Upload>(client, *exchange);
  const Status begun =
      co_await on_executor((*exchange)->stream()->executor(), begin_upload(upload));
  if (!begun) {
    co_return fail(begun.error());
  }
  co_return std::make_unique<RemoteBlocks>(std::move(upload), std::move(stop));
}

}  // namespace ica::rpc
