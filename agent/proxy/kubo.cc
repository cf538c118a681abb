#include "agent/proxy/kubo.h"

#include "common/base/async.h"
#include "common/base/offload.h"
#include "common/codec/multiaddr.h"
#include "common/http/headers.h"

namespace ica::proxy {
namespace {

constexpr std::string_view kComponent = "ipfsproxy";
constexpr size_t kConnections = 1000;  // a subscription keeps one for as long as it lives
constexpr size_t kMaxLearnt = 128;
constexpr Duration kLearnLimit = std::chrono::seconds(10);

// What Kubo says to a browser's page of the request's origin.
const std::vector<std::string>& cors_names() {
  static const std::vector<std::string> names = {"Access-Control-Allow-Origin", "Vary",
                                                 "Access-Control-Allow-Credentials"};
  return names;
}

// RFC 9110, 7.6.1: of one connection only. "Trailer" is announced again by us.
bool is_hop_by_hop(std::string_view name, const http::Headers& headers) {
  static constexpr std::string_view kNames[] = {
      "Connection", "Proxy-Connection", "Keep-Alive",        "Proxy-Authenticate",
      "Te",         "Upgrade",          "Transfer-Encoding", "Proxy-Authorization"};
  for (const std::string_view hop : kNames) {
    if (iequals(name, hop)) {
      return true;
    }
  }
  return http::has_token(headers, "Connection", name);
}

bool has_body(const http::Request& request) {
  const std::string_view length = request.header("Content-Length");
  return !request.header("Transfer-Encoding").empty() || (!length.empty() && length != "0");
}

// One end of an exchange tells the other.
struct Flow {
  bool answered = false;
};

Task<Status> upload(http::Request& request, http::ClientStream& stream,
                    std::shared_ptr<Flow> flow) {
  while (!flow->answered) {
    auto piece = co_await request.body->read();
    if (!piece) {
      co_return fail(std::move(piece.error()));
    }
    if (!*piece) {
      co_return co_await stream.finish();
    }
    Status written = co_await stream.write(std::move(**piece));
    if (!written) {
      co_return written;
    }
  }
  co_return Status();
}

Task<Status> download(http::Request& request, http::ClientStream& stream,
                      std::shared_ptr<Flow> flow, Kubo::Take take) {
  Status outcome = co_await take(stream);
  flow->answered = true;
  if (request.body != nullptr) {
    request.body->cancel_read();
  }
  co_return outcome;
}

// Passes Kubo's answer on.
Task<Status> relay(http::ResponseWriter& response, http::ClientStream& stream) {
  CO_TRY(const int status, co_await stream.status());
  http::Headers headers;
  for (const auto& [name, value] : stream.headers()) {
    if (!is_hop_by_hop(name, stream.headers())) {
      headers.emplace_back(name, value);
    }
  }
  Status sent = co_await response.begin(status, std::move(headers));
  while (sent) {
    auto piece = co_await stream.read();
    if (!piece) {
      co_return fail(std::move(piece.error()));
    }
    if (!*piece) {
      break;
    }
    sent = co_await response.write(std::move(**piece));
  }
  if (sent) {
    sent = co_await response.end(stream.trailers());
  }
  co_return sent;
}

}  // namespace

Result<std::unique_ptr<Kubo>> Kubo::create(const config::IpfsProxy& settings) {
  TRY(const DialTarget dial, dial_target(settings.node_multiaddress));
  const std::string scheme = settings.node_https || dial.tls ? "https" : "http";
  if (dial.kind == DialTarget::Kind::Unix) {
    return std::unique_ptr<Kubo>(new Kubo(settings, scheme + "://unix", dial.host));
  }
  const bool bracket = dial.kind == DialTarget::Kind::Ip6;
  return std::unique_ptr<Kubo>(new Kubo(settings,
                                        fmt::format("{}://{}{}{}:{}", scheme, bracket ? "[" : "",
                                                    dial.host, bracket ? "]" : "", dial.port),
                                        ""));
}

Kubo::Kubo(const config::IpfsProxy& settings, std::string base, std::string unix_socket)
    : base_(std::move(base)),
      learn_path_(settings.extract_headers_path),
      ttl_(settings.extract_headers_ttl),
      learnt_names_{"Access-Control-Expose-Headers"},
      client_({.max_connections = kConnections,
               .max_connections_per_host = kConnections,
               .unix_socket = std::move(unix_socket)}) {
  for (const std::string& name : settings.extract_headers_extra) {
    learnt_names_.push_back(http::canonical_header(name));
  }
}

http::ClientRequest Kubo::request_for(const http::Request& request, std::string_view query) const {
  http::ClientRequest out;
  out.method = request.method;
  out.url = base_ + request.path;
  if (!query.empty()) {
    out.url.append("?").append(query);
  }
  std::string forwarded;
  for (const auto& [name, value] : request.headers) {
    if (iequals(name, "X-Forwarded-For")) {
      forwarded += value + ", ";
    } else if (!is_hop_by_hop(name, request.headers) && !iequals(name, "Expect") &&
               !iequals(name, "Trailer")) {
      out.headers.emplace_back(name, value);
    }
  }
  if (const size_t colon = request.remote.rfind(':'); colon != std::string::npos) {
    out.headers.emplace_back("X-Forwarded-For", forwarded + request.remote.substr(0, colon));
  }
  out.streamed_body = has_body(request);
  return out;
}

Task<Status> Kubo::send(http::Request& request, std::string query, Take take) {
  http::ClientRequest out = request_for(request, query);
  const bool with_body = out.streamed_body;
  auto stream = co_await client_.open(std::move(out), request.stop);
  if (!stream) {
    co_return fail(std::move(stream.error()));
  }
  auto flow = std::make_shared<Flow>();
  std::vector<Task<Status>> tasks;
  tasks.push_back(download(request, **stream, flow, std::move(take)));
  if (with_body) {
    tasks.push_back(upload(request, **stream, flow));
  }
  std::vector<Status> outcomes = co_await gather(std::move(tasks));
  co_return std::move(outcomes.front());
}

Task<void> Kubo::forward(http::Request& request, http::ResponseWriter& response) {
  http::ResponseWriter* const out = &response;
  const Take take = [out](http::ClientStream& stream) { return relay(*out, stream); };
  const Status done = co_await send(request, request.query, take);
  if (done || response.begun() || request.stop.stop_requested()) {
    co_return;
  }
  if (limiter_.allow("forward")) {
    log_warn(kComponent, "http: proxy error: {}", done.error().message());
  }
  const Status sent = co_await response.send(502, {}, Bytes());
  (void)sent;
}

bool Kubo::fresh(const Learnt& learnt) const {
  return ttl_.count() == 0 || std::chrono::steady_clock::now() - learnt.at < ttl_;
}

std::optional<http::Headers> Kubo::remembered(const std::string& key, bool even_old) {
  const std::lock_guard lock(mutex_);
  const auto found = learnt_.find(key);
  if (found == learnt_.end() || (!even_old && !fresh(found->second))) {
    return std::nullopt;
  }
  return found->second.headers;
}

void Kubo::remember(const std::string& key, http::Headers headers) {
  const std::lock_guard lock(mutex_);
  if (learnt_.size() >= kMaxLearnt) {
    learnt_.clear();  // origins are the clients' to choose
  }
  learnt_[key] = {std::move(headers), std::chrono::steady_clock::now()};
}

Task<http::Headers> Kubo::learn(std::string key, http::ClientRequest question,
                                std::vector<std::string> names) {
  auto known = remembered(key, false);
  if (known) {
    co_return std::move(*known);
  }
  question.timeout = kLearnLimit;
  auto answer = co_await client_.fetch(std::move(question));
  if (!answer) {
    if (limiter_.allow("learn")) {
      log_warn(kComponent, "error making request for header extraction to ipfs: {}",
               answer.error().message());
    }
    co_return remembered(key, true).value_or(http::Headers());
  }
  http::Headers found;
  for (const std::string& name : names) {
    for (const auto& [given, value] : answer->headers) {
      if (iequals(given, name)) {
        found.emplace_back(name, value);
      }
    }
  }
  remember(key, found);
  co_return found;
}

Task<http::Headers> Kubo::own_headers(const http::Request& request) {
  const std::string origin(request.header("Origin"));
  http::ClientRequest preflight;
  preflight.method = "OPTIONS";
  preflight.url = base_ + request.path;
  if (!origin.empty()) {
    preflight.headers.emplace_back("Origin", origin);
  }
  preflight.headers.emplace_back("Access-Control-Request-Method", request.method);
  http::Headers out =
      co_await learn(request.method + " " + origin, std::move(preflight), cors_names());

  http::ClientRequest sample;
  sample.method = "POST";
  sample.url = base_ + learn_path_;
  const http::Headers extra = co_await learn("", std::move(sample), learnt_names_);
  out.insert(out.end(), extra.begin(), extra.end());
  co_return out;
}

}  // namespace ica::proxy
