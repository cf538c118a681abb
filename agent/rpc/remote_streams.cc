// Calls with many answers, and with many arguments.
#include "agent/rpc/briefs.h"
#include "agent/rpc/exchange.h"
#include "common/base/async.h"
#include "common/base/read_ahead.h"

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

Result<cluster::BriefBatch> batch_of(BytesView value,
                                     std::shared_ptr<const api::PinInfoShort> about) {
  TRY(const BytesView data, briefs_data(value));
  cluster::BriefBatch batch;
  batch.peer = std::move(about);
  batch.data = std::make_shared<const Bytes>(data);
  TRY(batch.items, read_briefs(*batch.data));
  return batch;
}

// One answer in brief. The first answer of a call tells of the peer and is kept in `about`.
struct BriefReader {
  ClientPtr client;
  ExchangePtr exchange;
  std::shared_ptr<const api::PinInfoShort> about;
};

Task<Result<std::vector<cluster::BriefBatch>>> read_briefs_batch(
    std::shared_ptr<BriefReader> reader) {
  Exchange& exchange = *reader->exchange;
  const size_t max = reader->client->options.max_answer + kBriefsBytes;
  std::vector<cluster::BriefBatch> out;
  exchange.set_limit(reader->client->options.stall_limit);
  if (!reader->about) {
    auto first = co_await exchange.answer(max);
    if (!first) {
      co_return fail(std::move(first.error()));
    }
    if (!first->has_value()) {
      co_return fail(Code::Protocol, "unexpected EOF");
    }
    auto about = decode<api::PinInfoShort>(**first);
    if (!about) {
      co_return exchange.refuse(std::move(about.error()));
    }
    reader->about = std::make_shared<const api::PinInfoShort>(std::move(*about));
  }
  auto value = co_await exchange.answer(max);
  if (!value) {
    co_return fail(std::move(value.error()));
  }
  if (!value->has_value()) {
    co_return out;
  }
  auto batch = batch_of(**value, reader->about);
  if (!batch) {
    co_return exchange.refuse(std::move(batch.error()));
  }
  out.push_back(std::move(*batch));
  co_return out;
}

// Answers are decoded where the stream lives, the next batch while the caller works on the last.
template <typename T>
class RemoteItems final : public cluster::Stream<T> {
 public:
  using Batch = Result<std::vector<T>>;

  RemoteItems(ExchangePtr exchange, std::function<Task<Batch>()> read, StopToken stop)
      : exchange_(std::move(exchange)),
        stop_(std::move(stop)),
        on_stop_(stop_, ResetStream{exchange_->stream()}),
        batches_(exchange_->stream()->executor(), std::move(read), stop_) {}

  ~RemoteItems() override {
    // The stream goes where it lives, with all that holds it; one that has not ended is reset
    // there.
    const Executor executor = exchange_->stream()->executor();
    const bool ended = ended_;
    asio::post(executor, [exchange = std::move(exchange_), batches = std::move(batches_), ended] {
      if (!ended) {
        exchange->stream()->reset();
      }
    });
  }

  Task<Batch> next() override {
    auto batch = co_await batches_.next();
    if (!batch) {
      co_return fail(call_error(std::move(batch.error()), stop_));
    }
    ended_ = batch->empty();
    co_return batch;
  }

 private:
  ExchangePtr exchange_;
  const StopToken stop_;
  const std::stop_callback<ResetStream> on_stop_;
  ReadAhead<T> batches_;
  bool ended_ = false;
};

// What a peer says while it takes blocks: nothing until the end, or why it stopped.
struct Upload {
  explicit Upload(ExchangePtr e)
      : exchange(std::move(e)), answered(exchange->stream()->executor()) {}
  const ExchangePtr exchange;
  Event answered;
  std::optional<Status> outcome;
  Bytes out;  // blocks that wait for a larger write
};
using UploadPtr = std::shared_ptr<Upload>;

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

Task<void> wait_for_outcome(ClientPtr client, UploadPtr upload) {
  Status outcome = co_await read_outcome(client, upload->exchange);
  if (!outcome) {
    upload->exchange->stream()->reset();  // ends a write that nobody will read
  }
  upload->outcome = std::move(outcome);
  upload->answered.notify_all();
}

// After a failed write: what the peer said before it stopped listening, if it said anything.
Task<Status> give_up(ClientPtr client, UploadPtr upload, Status sent) {
  upload->exchange->stream()->reset();
  while (!upload->outcome) {
    (void)co_await upload->answered.wait(client->options.stall_limit);
  }
  co_return upload->outcome->has_value() ? sent : *upload->outcome;
}

Task<Status> write_out(ClientPtr client, UploadPtr upload) {
  upload->exchange->set_limit(client->options.stall_limit);
  Bytes data;
  data.swap(upload->out);
  auto sent = co_await upload->exchange->stream()->write(std::move(data));
  // The next block may take as long as its uploader likes.
  upload->exchange->set_limit(Duration::zero());
  co_return sent;
}

Task<Status> add_block(ClientPtr client, UploadPtr upload, ipfs::BlockToPut block) {
  if (upload->outcome && !upload->outcome->has_value()) {
    co_return *upload->outcome;
  }
  const size_t size = block.data.size();
  const NodeWithMeta node{std::move(block.data), std::move(block.cid), size};
  write(upload->out, node);
  if (upload->out.size() < kBlocksPerWrite) {
    co_return Status();
  }
  const Status sent = co_await write_out(client, upload);
  if (!sent) {
    co_return co_await give_up(client, upload, sent);
  }
  co_return sent;
}

Task<Status> end_blocks(ClientPtr client, UploadPtr upload) {
  Status sent = co_await write_out(client, upload);
  if (sent) {
    sent = co_await upload->exchange->stream()->close_write();
  }
  if (!sent) {
    co_return co_await give_up(client, upload, sent);
  }
  while (!upload->outcome) {
    (void)co_await upload->answered.wait(client->options.stall_limit);
  }
  co_return *upload->outcome;
}

class RemoteBlocks final : public ipfs::BlockSink {
 public:
  RemoteBlocks(ClientPtr client, UploadPtr upload, StopToken stop)
      : client_(std::move(client)),
        upload_(std::move(upload)),
        stop_(std::move(stop)),
        on_stop_(stop_, ResetStream{upload_->exchange->stream()}) {}

  ~RemoteBlocks() override {
    if (!finished_) {
      ResetStream{upload_->exchange->stream()}();
    }
  }

  Task<Status> write(ipfs::BlockToPut block) override {
    return outcome_of(add_block(client_, upload_, std::move(block)), upload_, stop_);
  }

  Task<Status> finish() override {
    finished_ = true;
    return outcome_of(end_blocks(client_, upload_), upload_, stop_);
  }

 private:
  static Task<Status> outcome_of(Task<Status> task, UploadPtr upload, StopToken stop) {
    auto outcome = co_await on_executor(upload->exchange->stream()->executor(), std::move(task));
    if (!outcome) {
      co_return fail(call_error(std::move(outcome.error()), stop));
    }
    co_return Status();
  }

  const ClientPtr client_;
  const UploadPtr upload_;
  const StopToken stop_;
  const std::stop_callback<ResetStream> on_stop_;
  bool finished_ = false;
};

}  // namespace

cluster::StreamPtr<api::PinInfo> remote_infos(ClientPtr client, ExchangePtr exchange,
                                              StopToken stop) {
  auto read = [client = std::move(client), exchange] { return read_infos(client, exchange); };
  return std::make_unique<RemoteItems<api::PinInfo>>(std::move(exchange), std::move(read),
                                                     std::move(stop));
}

cluster::StreamPtr<cluster::BriefBatch> remote_briefs(ClientPtr client, ExchangePtr exchange,
                                                      StopToken stop) {
  auto reader = std::make_shared<BriefReader>(BriefReader{std::move(client), exchange, nullptr});
  auto read = [reader = std::move(reader)] { return read_briefs_batch(reader); };
  return std::make_unique<RemoteItems<cluster::BriefBatch>>(std::move(exchange), std::move(read),
                                                            std::move(stop));
}

Task<Result<std::unique_ptr<ipfs::BlockSink>>> open_block_stream(ClientPtr client, PeerId peer,
                                                                 StopToken stop) {
  std::vector<std::string> protocols{std::string(api::kRpcProtocol)};
  auto exchange = co_await open_exchange(client, std::move(peer), std::move(protocols),
                                         client->options.dial_limit, stop);
  if (!exchange) {
    co_return fail(std::move(exchange.error()));
  }
  auto upload = std::make_shared<Upload>(*exchange);
  const ServiceId method{"IPFSConnector", "BlockStream"};
  upload->out = encode(method);
  spawn((*exchange)->stream()->executor(), wait_for_outcome(client, upload), "rpc blocks");
  std::unique_ptr<ipfs::BlockSink> sink =
      std::make_unique<RemoteBlocks>(client, std::move(upload), std::move(stop));
  co_return sink;
}

}  // namespace ica::rpc
