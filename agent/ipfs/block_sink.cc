// Many blocks in one multipart request: as a CAR file to dag/import, which is how Kubo takes them
// fastest (it writes in batches), or one part each to block/put for what Kubo cannot decode.
#include <random>
#include <unordered_set>

#include "agent/ipfs/transport.h"
#include "agent/ipfs/watchdog.h"
#include "common/base/async.h"
#include "common/base/log.h"
#include "common/codec/car.h"

namespace ica::ipfs {

namespace {

struct Named {
  uint64_t code;
  std::string_view name;
};
constexpr Named kCodecs[] = {{0x51, "cbor"},       {0x55, "raw"},        {0x70, "dag-pb"},
                             {0x71, "dag-cbor"},   {0x72, "libp2p-key"}, {0x78, "git-raw"},
                             {0x0129, "dag-json"}, {0x0200, "json"}};
constexpr Named kHashes[] = {
    {0x00, "identity"},      {0x11, "sha1"},         {0x12, "sha2-256"},
    {0x13, "sha2-512"},      {0x14, "sha3-512"},     {0x15, "sha3-384"},
    {0x16, "sha3-256"},      {0x17, "sha3-224"},     {0x18, "shake-128"},
    {0x19, "shake-256"},     {0x1a, "keccak-224"},   {0x1b, "keccak-256"},
    {0x1c, "keccak-384"},    {0x1d, "keccak-512"},   {0x1e, "blake3"},
    {0x56, "dbl-sha2-256"},  {0xd5, "md5"},          {0xb220, "blake2b-256"},
    {0xb240, "blake2b-512"}, {0xb260, "blake2s-256"}};

template <size_t N>
std::string name_of(const Named (&names)[N], uint64_t code) {
  for (const Named& entry : names) {
    if (entry.code == code) {
      return std::string(entry.name);
    }
  }
  return fmt::format("{:#x}", code);  // Kubo takes numbers as well
}

// dag/import decodes every block, so it takes no others.
bool importable(uint64_t codec) {
  return codec == multicodec::kRaw || codec == multicodec::kDagPb;
}

// Length of the digest in a multihash: what follows its two varints.
size_t digest_size(BytesView multihash) {
  size_t at = 0;
  for (int varint = 0; varint < 2; ++varint) {
    while (at < multihash.size() && (static_cast<uint8_t>(multihash[at]) & 0x80) != 0) {
      ++at;
    }
    ++at;
  }
  return multihash.size() - std::min(at, multihash.size());
}

// Reads Kubo's confirmations while blocks are still being written: neither side may wait for the
// other.
struct Exchange {
  explicit Exchange(const Executor& executor) : changed(executor) {}
  std::shared_ptr<Transport> transport;
  std::unique_ptr<http::ClientStream> stream;
  std::string path;
  bool import = false;
  std::shared_ptr<Watchdog> dog;
  Event changed;
  // Below: only on the strand of `changed`.
  std::optional<Status> answer;
  uint64_t confirmed = 0;
};

Task<Status> read_answer(std::shared_ptr<Exchange> exchange) {
  CO_TRY_VOID(co_await exchange->transport->expect_ok(exchange->stream.get(), exchange->path));
  LineSplitter splitter(64 << 10);
  while (true) {
    auto piece = co_await exchange->stream->read();
    if (!piece) {
      co_return fail(
          exchange->transport->lost(piece.error(), exchange->transport->url(exchange->path)));
    }
    std::vector<std::string> lines;
    if (piece->has_value()) {
      CO_TRY_VOID(splitter.feed(**piece));
      while (auto line = splitter.next()) {
        lines.push_back(*std::move(line));
      }
    } else if (std::string rest = splitter.rest(); !rest.empty()) {
      lines.push_back(std::move(rest));
    }
    for (const std::string& line : lines) {
      if (exchange->import) {
        CO_TRY(exchange->confirmed, parse_dag_import(line));
      } else {
        CO_TRY_VOID(parse_block_put(line));
        ++exchange->confirmed;
      }
      exchange->dog->touch();
    }
    if (!piece->has_value()) {
      break;
    }
  }
  const std::string_view error = http::find_header(exchange->stream->trailers(), "X-Stream-Error");
  if (!error.empty()) {
    co_return fail(Code::Internal, "IPFS error ({}). Code: 500. Message: {}", exchange->path,
                   error);
  }
  co_return Status();
}

Task<void> run_reader(std::shared_ptr<Exchange> exchange) {
  Status outcome = co_await read_answer(exchange);
  exchange->answer = std::move(outcome);
  exchange->changed.notify_all();
}

Task<std::pair<Status, uint64_t>> wait_on_strand(std::shared_ptr<Exchange> exchange,
                                                 Duration at_most) {
  const auto deadline = std::chrono::steady_clock::now() + at_most;
  while (!exchange->answer && std::chrono::steady_clock::now() < deadline) {
    (void)co_await exchange->changed.wait(deadline - std::chrono::steady_clock::now());
  }
  Status result = exchange->answer ? *exchange->answer : Status(fail(Code::Timeout, "no answer"));
  co_return std::pair(std::move(result), exchange->confirmed);
}

class HttpBlockSink final : public BlockSink {
 public:
  HttpBlockSink(std::shared_ptr<Transport> transport, StopToken stop)
      : transport_(std::move(transport)), stop_(std::move(stop)) {
    std::random_device random;
    boundary_ = fmt::format("ica-{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
  }

  ~HttpBlockSink() override {
    if (exchange_) {
      exchange_->dog->stop();  // ends the reader, which shares the stream
      timer_->finish(Outcome::Cancelled);
    }
  }

  Task<Status> write(BlockToPut block) override {
    const bool import = importable(block.cid.codec());
    if (exchange_ && exchange_->import != import) {
      auto finished = co_await finish();
      if (!finished) {
        co_return finished;
      }
    }
    if (!exchange_) {
      auto opened = co_await open(block.cid, import);
      if (!opened) {
        timer_->finish(opened);
        co_return opened;
      }
    }
    const size_t size = block.data.size();
    std::string head = import ? car_head(block) : part_head(block);
    Status sent = co_await send(std::move(head));
    if (sent) {
      sent = co_await send(std::move(block.data));
    }
    if (sent) {
      ++written_;
      transport_->counter().add_block(size);
    } else {
      timer_->finish(sent);
    }
    co_return sent;
  }

  Task<Status> finish() override {
    if (!exchange_) {
      co_return Status();  // no block: nothing to ask
    }
    Status outcome = co_await complete();
    exchange_->dog->done();
    timer_->finish(outcome);
    exchange_.reset();
    written_ = 0;
    co_return outcome;
  }

 private:
  std::string part(std::string_view name) const {
    return fmt::format(
        "--{}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\n"
        "Content-Type: application/octet-stream\r\n\r\n",
        boundary_, name);
  }

  // What comes before the bytes of a block.
  std::string part_head(const BlockToPut& block) const {
    return (written_ == 0 ? "" : "\r\n") + part(block.cid.text());
  }
  std::string car_head(const BlockToPut& block) const {
    std::string head;
    if (written_ == 0) {
      head = part("blocks.car");
      std::vector<Cid> roots(1, block.cid);  // any: they are not pinned
      append_car_header(head, roots);
    }
    append_car_block_head(head, block.cid, block.data.size());
    return head;
  }

  Task<Status> open(Cid first, bool import) {
    timer_.emplace(transport_, import ? Verb::DagImport : Verb::BlockPut);
    if (import) {
      path_ = "dag/import?allow-big-block=true&fast-provide-root=false&pin-roots=false&stats=true";
    } else {
      path_ =
          fmt::format("block/put?allow-big-block=true&cid-codec={}&mhlen={}&mhtype={}&pin=false",
                      name_of(kCodecs, first.codec()), digest_size(first.multihash()),
                      name_of(kHashes, first.hash_code()));
    }
    // Waiting and reading happen on a strand of our own; the caller may be anywhere.
    strand_ = asio::make_strand(transport_->executor());
    auto dog =
        Watchdog::make(transport_->executor(), transport_->options().request_timeout, stop_, false);
    http::Headers headers = {{"Content-Type", "multipart/form-data; boundary=" + boundary_}};
    auto stream =
        co_await transport_->open(path_, std::move(headers), dog->token(), timer_->context());
    if (!stream) {
      dog->done();
      co_return fail(std::move(stream).error());
    }
    exchange_ = std::make_shared<Exchange>(strand_);
    exchange_->transport = transport_;
    exchange_->stream = *std::move(stream);
    exchange_->path = path_;
    exchange_->import = import;
    exchange_->dog = std::move(dog);
    spawn(strand_, run_reader(exchange_), "reading IPFS's answer to blocks");
    co_return Status();
  }

  Task<Status> send(Bytes data) {
    exchange_->dog->arm(true);
    Status sent = co_await exchange_->stream->write(std::move(data));
    exchange_->dog->arm(false);
    if (sent) {
      co_return Status();
    }
    co_return co_await explain(std::move(sent));
  }

  // Kubo may refuse in the middle of the request: its words matter more than "broken pipe".
  Task<Status> explain(Status failed) {
    if (exchange_->dog->fired()) {
      failed = fail(transport_->lost(Error(Code::Timeout, ""), transport_->url(path_)));
    } else {
      const Status answer = co_await wait_answer(std::chrono::seconds(2));
      if (!answer && answer.error().code() != Code::Timeout) {
        failed = answer;
      } else {
        failed = fail(transport_->lost(failed.error(), transport_->url(path_)));
      }
    }
    co_return failed;
  }

  Task<Status> complete() {
    exchange_->dog->arm(true);
    Status sent = co_await exchange_->stream->write(fmt::format("\r\n--{}--\r\n", boundary_));
    if (sent) {
      sent = co_await exchange_->stream->finish();
    }
    if (!sent) {
      co_return co_await explain(std::move(sent));
    }
    // The watchdog ends a wait for a Kubo that has stopped confirming.
    Status answer = co_await wait_answer(std::chrono::hours(24 * 365));
    if (!answer) {
      if (exchange_->dog->fired()) {
        co_return fail(transport_->lost(Error(Code::Timeout, ""), transport_->url(path_)));
      }
      co_return answer;
    }
    if (confirmed_ < written_) {
      co_return fail(Code::Protocol, "IPFS confirmed {} of {} blocks", confirmed_, written_);
    }
    co_return Status();
  }

  // The reader's outcome; Timeout when it is not there in time.
  Task<Status> wait_answer(Duration at_most) {
    auto [status, confirmed] =
        co_await asio::co_spawn(strand_, wait_on_strand(exchange_, at_most), asio::use_awaitable);
    confirmed_ = confirmed;
    co_return status;
  }

  const std::shared_ptr<Transport> transport_;
  const StopToken stop_;
  std::optional<CallTimer> timer_;  // of exchange_
  std::string boundary_;
  std::string path_;
  Executor strand_;
  std::shared_ptr<Exchange> exchange_;
  uint64_t written_ = 0;
  uint64_t confirmed_ = 0;
};

}  // namespace

Task<Result<std::unique_ptr<BlockSink>>> make_block_sink(std::shared_ptr<Transport> transport,
                                                         StopToken stop) {
  // Known to be away: the caller should hear of it before it reads its input.
  if (const auto cause = transport->breaker().refused()) {
    co_return fail(Code::Unavailable, "Post \"{}\": {}", transport->url("block/put"), *cause);
  }
  co_return std::make_unique<HttpBlockSink>(std::move(transport), std::move(stop));
}

}  // namespace ica::ipfs
