// pin/ls and pin/add.
#include <algorithm>

#include "agent/ipfs/transport.h"
#include "agent/ipfs/watchdog.h"
#include "common/base/async.h"
#include "common/base/log.h"
#include "common/codec/url_escape.h"

namespace ica::ipfs {

namespace {

constexpr size_t kMaxOrigins = 10;
constexpr size_t kListBatch = 2048;
constexpr size_t kMaxSmallBody = 1 << 20;

class PinList final : public BatchStream<ListedPin> {
 public:
  PinList(std::shared_ptr<Transport> transport, std::unique_ptr<LineStream> lines)
      : timer_(transport, Verb::PinLs), lines_(std::move(lines)) {}

  Task<Result<std::vector<ListedPin>>> next() override {
    auto batch = co_await read();
    if (!batch) {
      timer_.finish(Status(fail(batch.error())));
    } else if (batch->empty()) {
      timer_.finish(Outcome::Ok);
    }
    co_return batch;
  }

 private:
  Task<Result<std::vector<ListedPin>>> read() {
    std::vector<ListedPin> batch;
    CO_TRY(auto line, co_await lines_->next());
    while (line) {
      CO_TRY(auto pin, parse_listed_pin(*line));
      batch.push_back(std::move(pin));
      if (batch.size() >= kListBatch) {
        break;
      }
      line = lines_->ready();
    }
    co_return batch;
  }

  CallTimer timer_;
  std::unique_ptr<LineStream> lines_;
};

bool satisfies(PinKind kind, int max_depth) {
  return kind == (max_depth == api::kMaxDepthDirect ? PinKind::Direct : PinKind::Recursive);
}

Task<void> connect_origins(std::shared_ptr<Transport> transport, std::vector<Multiaddr> origins,
                           StopToken stop) {
  for (const Multiaddr& origin : origins) {
    std::string path = "swarm/connect?arg=";
    append_query_escaped(path, origin.text());
    auto answer = co_await transport->call(Verb::SwarmConnect, path,
                                           transport->options().pin_timeout, kMaxSmallBody, stop);
    if (!answer) {
      log_debug("ipfshttp", "connecting IPFS to an origin: {}", answer.error().message());
    }
  }
}

Task<Status> read_pin_add(std::shared_ptr<Transport> transport, std::string path, Cid cid,
                          int max_depth, std::function<void(PinProgress)> on_progress,
                          std::shared_ptr<Watchdog> dog, std::shared_ptr<bool> answered) {
  CO_TRY(auto lines, co_await transport->open_lines(path, Duration::zero(), dog->token()));
  *answered = true;
  PinProgress best;
  while (true) {
    CO_TRY(const auto line, co_await lines->next());
    if (!line) {
      break;
    }
    CO_TRY(const PinAddLine update, parse_pin_add(*line));
    if (update.pinned) {
      co_return Status();
    }
    // Kubo repeats its counters twice a second; only growth is progress.
    if (update.progress.nodes > best.nodes || update.progress.bytes > best.bytes) {
      best = {std::max(best.nodes, update.progress.nodes),
              std::max(best.bytes, update.progress.bytes)};
      dog->touch();
      if (on_progress) {
        on_progress(best);
      }
    }
  }
  // The reference takes a clean end for success. It is one only if Kubo says so when asked.
  CO_TRY(const PinKind kind,
         co_await ask_pin_status(
             transport, cid,
             max_depth == api::kMaxDepthDirect ? api::PinMode::Direct : api::PinMode::Recursive,
             dog->token()));
  if (!satisfies(kind, max_depth)) {
    co_return fail(Code::Protocol, "IPFS ended pin/add without pinning");
  }
  co_return Status();
}

Task<Status> add_pin(std::shared_ptr<Transport> transport, Cid cid, int max_depth,
                     std::function<void(PinProgress)> on_progress, StopToken stop) {
  std::string path = "pin/add?arg=" + cid.text();
  path += max_depth == api::kMaxDepthDirect ? "&recursive=false" : "&recursive=true";
  if (max_depth > 0) {
    path += fmt::format("&max-depth={}", max_depth);
  }
  path += "&progress=true";

  CallTimer timer(transport, Verb::PinAdd);
  auto dog = Watchdog::make(co_await asio::this_coro::executor, transport->options().pin_timeout,
                            stop, true);
  auto answered = std::make_shared<bool>(false);
  Status outcome =
      co_await read_pin_add(transport, path, cid, max_depth, std::move(on_progress), dog, answered);
  dog->done();
  if (!outcome && dog->fired() && !stop.stop_requested()) {
    if (*answered) {
      outcome = fail(Code::Timeout, "context canceled");
    } else {
      // Kubo answers pin/add within half a second. This one has hung; the prober says when it is
      // back.
      (void)transport->lost(Error(Code::Timeout, ""), transport->url(path));
      outcome = fail(Code::Unavailable, "context canceled");
    }
  }
  timer.finish(outcome);
  co_return outcome;
}

// False when Kubo did not get it done in pin_timeout. It does not tell how it gets on, and holds
// its lock against collection meanwhile; pin/add, which goes on from what has come, tells.
Task<Result<bool>> update_pin(std::shared_ptr<Transport> transport, Cid from, Cid to,
                              StopToken stop) {
  const std::string path =
      fmt::format("pin/update?arg={}&arg={}&unpin=false", from.text(), to.text());
  auto dog = Watchdog::make(co_await asio::this_coro::executor, transport->options().pin_timeout,
                            stop, true);
  auto answer = co_await transport->call(Verb::PinUpdate, path, transport->options().unpin_timeout,
                                         kMaxSmallBody, dog->token());
  dog->done();
  if (answer) {
    co_return true;
  }
  if (dog->fired() && !stop.stop_requested()) {
    co_return false;
  }
  co_return fail(std::move(answer).error());
}

}  // namespace

Task<Result<PinKind>> ask_pin_status(std::shared_ptr<Transport> transport, Cid cid,
                                     api::PinMode mode, StopToken stop) {
  const std::string path = fmt::format("pin/ls?stream=true&arg={}&type={}", cid.text(),
                                       mode == api::PinMode::Direct ? "direct" : "recursive");
  auto body = co_await transport->call(Verb::PinLs, path, transport->options().request_timeout,
                                       kMaxSmallBody, std::move(stop));
  if (!body) {
    if (body.error().code() == Code::Internal && body.error().message().ends_with("not pinned")) {
      co_return PinKind::Unpinned;
    }
    co_return fail(std::move(body).error());
  }
  LineSplitter lines(kMaxSmallBody);
  CO_TRY_VOID(lines.feed(*body));
  auto line = lines.next();
  if (!line) {
    line = lines.rest();
  }
  if (line->empty()) {
    co_return PinKind::Unpinned;
  }
  CO_TRY(const ListedPin pin, parse_listed_pin(*line));
  co_return pin.kind;
}

Task<Result<std::unique_ptr<BatchStream<ListedPin>>>> list_pins(
    std::shared_ptr<Transport> transport, std::string type, StopToken stop) {
  auto lines = co_await transport->open_lines(
      "pin/ls?stream=true&type=" + type, transport->options().request_timeout, std::move(stop));
  if (!lines) {
    CallTimer(transport, Verb::PinLs).finish(Status(fail(lines.error())));
    co_return fail(std::move(lines).error());
  }
  co_return std::make_unique<PinList>(transport, *std::move(lines));
}

Task<Status> pin_with_progress(std::shared_ptr<Transport> transport, api::Pin pin,
                               std::function<void(PinProgress)> on_progress, StopToken stop) {
  const auto mode =
      pin.max_depth == api::kMaxDepthDirect ? api::PinMode::Direct : api::PinMode::Recursive;
  CO_TRY(const PinKind kind, co_await ask_pin_status(transport, pin.cid, mode, stop));
  if (satisfies(kind, pin.max_depth)) {
    co_return Status();
  }
  if (!pin.options.origins.items.empty()) {
    std::vector<Multiaddr> origins = pin.options.origins.items;
    origins.resize(std::min(origins.size(), kMaxOrigins));
    spawn(co_await asio::this_coro::executor, connect_origins(transport, std::move(origins), stop),
          "connecting origins");
  }
  if (pin.options.pin_update.defined()) {
    const Cid from = pin.options.pin_update;
    CO_TRY(const PinKind source,
           co_await ask_pin_status(transport, from, api::PinMode::Recursive, stop));
    if (source == PinKind::Recursive) {
      CO_TRY(const bool updated, co_await update_pin(transport, from, pin.cid, stop));
      if (updated) {
        co_return Status();
      }
      log_info("ipfshttp", "updating {} to {} took longer than pin_timeout: pinned from its root",
               from, pin.cid);
    }
  }
  co_return co_await add_pin(transport, pin.cid, pin.max_depth, std::move(on_progress),
                             std::move(stop));
}

}  // namespace ica::ipfs
