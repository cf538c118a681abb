#include "agent/ipfs/http_connector.h"

#include "agent/ipfs/transport.h"
#include "common/base/async.h"
#include "common/codec/url_escape.h"

namespace ica::ipfs {

namespace {

constexpr size_t kMaxSmallBody = 1 << 20;
constexpr size_t kMaxListBody = 16 << 20;
constexpr size_t kMaxBlock = 32 << 20;
// What one garbage collection may report; more is summed up in one line.
constexpr size_t kMaxGcKeys = 1'000'000;

constexpr std::string_view kUnpinDisabled =
    "ipfs unpinning is disallowed by configuration on this peer";
constexpr std::string_view kNotPinned = "not pinned or pinned indirectly";

Result<Transport::Target> target_of(const Multiaddr& node) {
  TRY(const DialTarget dial, dial_target(node));
  Transport::Target target;
  const std::string scheme = dial.tls ? "https://" : "http://";
  switch (dial.kind) {
    case DialTarget::Kind::Unix:
      target.base = "http://unix";
      target.unix_socket = dial.host;
      return target;
    case DialTarget::Kind::Ip6:
      target.base = fmt::format("{}[{}]:{}", scheme, dial.host, dial.port);
      return target;
    case DialTarget::Kind::Ip4:
    case DialTarget::Kind::Dns:
    case DialTarget::Kind::Dns4:
    case DialTarget::Kind::Dns6:
      target.base = fmt::format("{}{}:{}", scheme, dial.host, dial.port);
      return target;
  }
  ICA_UNREACHABLE();
}

}  // namespace

Result<std::shared_ptr<HttpConnector>> HttpConnector::create(HttpConnectorOptions options,
                                                             Executor executor) {
  TRY(auto target, target_of(options.node).context("IPFS address {}", options.node));
  auto transport =
      std::make_shared<Transport>(std::move(options), std::move(target), std::move(executor));
  transport->start_prober();
  return std::make_shared<HttpConnector>(std::move(transport));
}

HttpConnector::HttpConnector(std::shared_ptr<Transport> transport)
    : transport_(std::move(transport)) {}

HttpConnector::~HttpConnector() {
  transport_->shut_down();
}

bool HttpConnector::reachable() const {
  return transport_->breaker().reachable();
}

BlockStats HttpConnector::block_stats() const {
  return transport_->counter().blocks();
}

std::vector<CallStats> HttpConnector::call_stats() const {
  return transport_->counter().snapshot();
}

Task<Result<api::IpfsId>> HttpConnector::id(StopToken stop) {
  auto transport = transport_;
  CO_TRY(const Bytes body,
         co_await transport->call(Verb::Id, "id", transport->options().request_timeout,
                                  kMaxSmallBody, stop));
  co_return parse_id(body);
}

Task<Result<std::string>> HttpConnector::version(StopToken stop) {
  auto transport = transport_;
  CO_TRY(const Bytes body,
         co_await transport->call(Verb::Version, "version", transport->options().request_timeout,
                                  kMaxSmallBody, stop));
  co_return parse_version(body);
}

Task<Status> HttpConnector::pin(api::Pin pin, std::function<void(PinProgress)> on_progress,
                                StopToken stop) {
  return pin_with_progress(transport_, std::move(pin), std::move(on_progress), std::move(stop));
}

Task<Status> HttpConnector::unpin(Cid cid, StopToken stop) {
  auto transport = transport_;
  if (transport->options().unpin_disable) {
    co_return fail(Code::PermissionDenied, "{}", kUnpinDisabled);
  }
  auto body =
      co_await transport->call(Verb::PinRm, "pin/rm?arg=" + cid.text(),
                               transport->options().unpin_timeout, kMaxSmallBody, std::move(stop));
  if (!body && body.error().code() == Code::Internal &&
      body.error().message().ends_with(kNotPinned)) {
    co_return Status();
  }
  if (!body) {
    co_return fail(std::move(body).error());
  }
  co_return Status();
}

Task<Result<PinKind>> HttpConnector::pin_status(Cid cid, api::PinMode mode, StopToken stop) {
  return ask_pin_status(transport_, std::move(cid), mode, std::move(stop));
}

Task<Result<std::unique_ptr<BatchStream<ListedPin>>>> HttpConnector::pin_ls(std::string type,
                                                                            StopToken stop) {
  return list_pins(transport_, std::move(type), std::move(stop));
}

Task<Result<RepoStat>> HttpConnector::repo_stat(StopToken stop) {
  auto transport = transport_;
  CO_TRY(const Bytes body,
         co_await transport->call(Verb::RepoStat, "repo/stat?size-only=true",
                                  transport->options().request_timeout, kMaxSmallBody, stop));
  co_return parse_repo_stat(body);
}

Task<Result<uint64_t>> HttpConnector::repo_objects(StopToken stop) {
  auto transport = transport_;
  CO_TRY(const Bytes body,
         co_await transport->call(Verb::RepoStat, "repo/stat", transport->options().repogc_timeout,
                                  kMaxSmallBody, stop));
  co_return parse_repo_objects(body);
}

namespace {

Task<Result<std::vector<api::RepoGcKey>>> collect_gc(std::shared_ptr<Transport> transport,
                                                     StopToken stop) {
  CO_TRY(auto lines, co_await transport->open_lines("repo/gc?stream-errors=true",
                                                    transport->options().repogc_timeout, stop));
  std::vector<api::RepoGcKey> keys;
  size_t left_out = 0;
  bool told_error = false;
  while (true) {
    auto line = co_await lines->next();
    if (!line && told_error && line.error().code() == Code::Internal) {
      break;  // Kubo's trailer, which says no more than that there were errors
    }
    CO_TRY(const auto text, std::move(line));
    if (!text) {
      break;
    }
    CO_TRY(auto key, parse_repo_gc(*text));
    told_error = told_error || !key.error.empty();
    if (keys.size() < kMaxGcKeys) {
      keys.push_back(std::move(key));
    } else {
      ++left_out;
    }
  }
  if (left_out > 0) {
    keys.push_back({Cid(), fmt::format("{} more keys are left out of this list", left_out)});
  }
  co_return keys;
}

}  // namespace

Task<Result<std::vector<api::RepoGcKey>>> HttpConnector::repo_gc(StopToken stop) {
  auto transport = transport_;
  CallTimer timer(transport, Verb::RepoGc);
  auto keys = co_await collect_gc(transport, std::move(stop));
  timer.finish(keys ? Status() : Status(fail(keys.error())));
  co_return keys;
}

Task<Result<std::vector<PeerId>>> HttpConnector::swarm_peers(StopToken stop) {
  auto transport = transport_;
  CO_TRY(const Bytes body,
         co_await transport->call(Verb::SwarmPeers, "swarm/peers",
                                  transport->options().request_timeout, kMaxListBody, stop));
  co_return parse_swarm_peers(body);
}

Task<Status> HttpConnector::swarm_connect(Multiaddr address, StopToken stop) {
  auto transport = transport_;
  std::string path = "swarm/connect?arg=";
  append_query_escaped(path, address.text());
  CO_TRY_VOID(co_await transport->call(Verb::SwarmConnect, path,
                                       transport->options().request_timeout, kMaxSmallBody, stop));
  co_return Status();
}

Task<Result<Cid>> HttpConnector::resolve(std::string path, StopToken stop) {
  auto transport = transport_;
  std::string call = "resolve?arg=";
  append_query_escaped(call, path);
  CO_TRY(const Bytes body,
         co_await transport->call(Verb::Resolve, call, transport->options().request_timeout,
                                  kMaxSmallBody, stop));
  co_return parse_resolve(body);
}

Task<Result<std::string>> HttpConnector::config_key(std::string key, StopToken stop) {
  auto transport = transport_;
  CO_TRY(const Bytes body,
         co_await transport->call(Verb::Config, "config/show", transport->options().request_timeout,
                                  kMaxListBody, stop));
  co_return find_config_key(body, key);
}

Task<Result<Bytes>> HttpConnector::block_get(Cid cid, StopToken stop) {
  auto transport = transport_;
  const std::string path = "block/get?arg=" + cid.text();
  co_return co_await transport->call(Verb::BlockGet, path, transport->options().request_timeout,
                                     kMaxBlock, std::move(stop));
}

Task<Result<std::unique_ptr<BlockSink>>> HttpConnector::block_put_stream(StopToken stop) {
  return make_block_sink(transport_, std::move(stop));
}

Task<Status> HttpConnector::block_put(std::vector<BlockToPut> blocks, StopToken stop) {
  auto transport = transport_;
  if (blocks.empty()) {
    co_return Status();
  }
  CO_TRY(auto sink, co_await make_block_sink(transport, std::move(stop)));
  for (BlockToPut& block : blocks) {
    CO_TRY_VOID(co_await sink->write(std::move(block)));
  }
  co_return co_await sink->finish();
}

}  // namespace ica::ipfs
