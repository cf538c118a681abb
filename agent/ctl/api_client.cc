#include "agent/ctl/api_client.h"

#include <nlohmann/json.hpp>

#include "agent/ctl/console.h"
#include "agent/ctl/json_scanner.h"
#include "agent/ctl/text.h"
#include "common/base/ascii.h"
#include "common/base/async.h"
#include "common/http/client.h"

namespace ica::ctl {
namespace {

// Answers that are read whole: listings come as streams, the rest is small.
constexpr size_t kMaxAnswer = 256U << 20;

using Json = nlohmann::json;

// "POST" as Go's messages have it: "Post".
std::string title(std::string_view method) {
  std::string out(method);
  for (size_t i = 1; i < out.size(); ++i) {
    out[i] = ascii_lower(out[i]);
  }
  return out;
}

ApiError transport_error(const Error& error, const std::string& method, const std::string& url) {
  std::string words = error.message();
  const bool timed_out = error.code() == Code::Timeout;
  if (timed_out && !words.starts_with("dial")) {
    words = "net/http: request canceled (Client.Timeout exceeded while awaiting headers)";
  }
  return {.code = 0,
          .message = fmt::format("{} \"{}\": {}", title(method), url, words),
          .timed_out = timed_out};
}

ApiError libp2p_error(const Endpoint& endpoint, const std::string& method,
                      const std::string& path) {
  return {.code = 0,
          .message =
              fmt::format("{} \"{}{}\": HTTP over libp2p is not offered by this client. Give the "
                          "peer's HTTP address instead, for example --host {}",
                          title(method), endpoint.shown, path, "/ip4/127.0.0.1/tcp/9094")};
}

// The error that an answer with a status of 400 and above carries; its text when it is no JSON.
ApiError answered_error(int status, const std::string& body) {
  const Json json = Json::parse(body, nullptr, false);
  ApiError plain{.code = status, .message = body};
  if (!json.is_object()) {
    return plain;
  }
  const Json code = json.value("code", Json(0));
  const Json message = json.value("message", Json(""));
  if (!code.is_number_integer() || !message.is_string()) {
    return plain;
  }
  return {.code = code.get<int>(), .message = message.get<std::string>()};
}

bool is_error_status(int status) {
  return status > 399 && status < 600;
}

// A body on its way out while the answer is already being read.
struct Upload {
  explicit Upload(Executor executor) : changed(std::move(executor)) {}
  std::unique_ptr<http::ClientStream> stream;
  std::shared_ptr<BodySource> body;
  StopSource stop;
  Event changed;
  bool done = false;
  std::optional<Error> source_error;  // the body could not be read; not: could not be sent
};

Task<void> send_body(std::shared_ptr<Upload> upload) {
  for (;;) {
    auto piece = co_await upload->body->next();
    if (!piece) {
      upload->source_error = piece.error();
      upload->stop.request_stop();
      break;
    }
    if (!piece->has_value()) {
      // Whether it arrived is seen at the answer.
      (void)co_await upload->stream->finish();
      break;
    }
    const Status sent = co_await upload->stream->write(std::move(**piece));
    if (!sent) {
      break;
    }
  }
  upload->done = true;
  upload->changed.notify_all();
}

// Puts the pieces of an error's answer together.
Task<Result<std::string>> read_all(http::ClientStream* stream) {
  std::string body;
  for (;;) {
    CO_TRY(auto piece, co_await stream->read());
    if (!piece) {
      co_return body;
    }
    body += *piece;
    if (body.size() > kMaxAnswer) {
      co_return fail(Code::TooLarge, "the answer is larger than {} bytes", kMaxAnswer);
    }
  }
}

ApiError reading_error(const Error& error) {
  ApiError out{.code = 0, .message = error.message(), .local = true};
  if (error.code() == Code::Timeout) {
    out.message =
        "context deadline exceeded (Client.Timeout or context cancellation while reading body)";
    out.timed_out = true;
  }
  return out;
}

Task<ApiResult<void>> read_stream(http::ClientStream* stream, ApiClient::Sink sink,
                                  Console* console, std::string method, std::string url) {
  auto status = co_await stream->status();
  if (!status) {
    co_return tl::unexpected(transport_error(status.error(), method, url));
  }
  if (is_error_status(*status)) {
    auto body = co_await read_all(stream);
    if (!body) {
      co_return tl::unexpected(ApiError{.code = *status, .message = body.error().message()});
    }
    co_return tl::unexpected(answered_error(*status, *body));
  }
  if (*status != 200 && *status != 204) {
    co_return tl::unexpected(
        ApiError{.code = *status, .message = "expected streaming response with code 200/204"});
  }
  JsonSplitter splitter;
  for (;;) {
    auto piece = co_await stream->read();
    if (!piece) {
      // What came before the cut was good and has been given on.
      co_return tl::unexpected(reading_error(piece.error()));
    }
    const Status fed = *piece ? splitter.feed(**piece, sink) : splitter.finish(sink);
    console->flush();
    if (!fed) {
      co_return tl::unexpected(reading_error(fed.error()));
    }
    if (!*piece) {
      break;
    }
    if (!console->writable()) {
      co_return tl::unexpected(ApiError{.message = "writing output", .local = true});
    }
  }
  std::string errors;
  for (const auto& [name, value] : stream->trailers()) {
    if (!value.empty() && iequals(name, "X-Stream-Error")) {
      errors += (errors.empty() ? "" : "; ") + value;
    }
  }
  if (!errors.empty()) {
    co_return tl::unexpected(ApiError{.code = 500, .message = std::move(errors)});
  }
  co_return ApiResult<void>();
}

}  // namespace

ApiClient::ApiClient(ApiOptions options, Console& console)
    : options_(std::move(options)), console_(console) {}
ApiClient::~ApiClient() = default;

void ApiClient::debug(std::string_view line) const {
  if (options_.debug) {
    console_.err(fmt::format("{}\tDEBUG\tapiclient\t{}\n", Time::now().utc().rfc3339(), line));
  }
}

http::Client& ApiClient::client_for(const Endpoint& endpoint) {
  for (auto& [socket, client] : clients_) {
    if (socket == endpoint.unix_socket) {
      return *client;
    }
  }
  http::ClientOptions options;
  options.connect_timeout = std::chrono::seconds(30);
  options.user_agent = "ipfs-cluster-ctl";
  options.unix_socket = endpoint.unix_socket;
  options.verify_tls = options_.verify_tls;
  clients_.emplace_back(endpoint.unix_socket, std::make_unique<http::Client>(std::move(options)));
  return *clients_.back().second;
}

http::ClientRequest ApiClient::make_request(const Endpoint& endpoint, const std::string& method,
                                            const std::string& path) const {
  http::ClientRequest request;
  request.method = method;
  request.url = endpoint.url + path;
  request.timeout = options_.timeout;
  request.max_body = kMaxAnswer;
  request.basic_user = options_.user;
  request.basic_password = options_.password;
  debug(fmt::format("{}: {}{}", method, endpoint.shown, path));
  return request;
}

Task<ApiResult<std::string>> ApiClient::call(std::string method, std::string path,
                                             Duration at_most) {
  ApiResult<std::string> result;
  for (const Endpoint& endpoint : options_.endpoints) {
    result = co_await call_one(endpoint, method, path, at_most);
    if (result || result.error().code != 0 || result.error().local) {
      break;
    }
  }
  co_return result;
}

Task<ApiResult<std::string>> ApiClient::call_one(const Endpoint& endpoint, std::string method,
                                                 std::string path, Duration at_most) {
  if (endpoint.libp2p) {
    co_return tl::unexpected(libp2p_error(endpoint, method, path));
  }
  console_.flush();
  http::ClientRequest request = make_request(endpoint, method, path);
  if (at_most > Duration{} && (request.timeout == Duration{} || at_most < request.timeout)) {
    request.timeout = at_most;
  }
  auto answer = co_await client_for(endpoint).fetch(std::move(request));
  if (!answer) {
    co_return tl::unexpected(transport_error(answer.error(), method, endpoint.shown + path));
  }
  debug(fmt::format("Response body: {}", answer->body));
  if (is_error_status(answer->status)) {
    co_return tl::unexpected(answered_error(answer->status, answer->body));
  }
  if (answer->status == 202 || answer->status == 204) {
    co_return std::string();
  }
  if (const Status valid = check_json(answer->body); !valid) {
    co_return tl::unexpected(ApiError{.code = answer->status, .message = valid.error().message()});
  }
  co_return std::move(answer->body);
}

Task<ApiResult<void>> ApiClient::stream(std::string method, std::string path, Sink sink) {
  ApiResult<void> result;
  for (const Endpoint& endpoint : options_.endpoints) {
    result = co_await stream_one(endpoint, method, path, nullptr, sink);
    if (result || result.error().code != 0 || result.error().local) {
      break;
    }
  }
  co_return result;
}

Task<ApiResult<void>> ApiClient::upload(std::string path, std::shared_ptr<BodySource> body,
                                        Sink sink) {
  ApiResult<void> result;
  for (const Endpoint& endpoint : options_.endpoints) {
    body->rewind();
    result = co_await stream_one(endpoint, "POST", path, body, sink);
    if (result || result.error().code != 0 || result.error().local) {
      break;
    }
  }
  co_return result;
}

Task<ApiResult<void>> ApiClient::stream_one(const Endpoint& endpoint, std::string method,
                                            std::string path, std::shared_ptr<BodySource> body,
                                            Sink sink) {
  if (endpoint.libp2p) {
    co_return tl::unexpected(libp2p_error(endpoint, method, path));
  }
  console_.flush();
  const std::string url = endpoint.shown + path;
  http::ClientRequest request = make_request(endpoint, method, path);
  if (body) {
    request.streamed_body = true;
    request.headers.emplace_back("Content-Type", body->content_type());
  }
  const Executor executor = co_await asio::this_coro::executor;
  auto upload = std::make_shared<Upload>(executor);
  auto opened = co_await client_for(endpoint).open(std::move(request), upload->stop.get_token());
  if (!opened) {
    co_return tl::unexpected(transport_error(opened.error(), method, url));
  }
  upload->stream = std::move(*opened);
  upload->body = body;
  if (body) {
    spawn(executor, send_body(upload), "upload");
  }
  ApiResult<void> result = co_await read_stream(upload->stream.get(), sink, &console_, method, url);
  if (body) {
    // The answer is over, or never came: what is still unsent is not wanted any more.
    upload->stop.request_stop();
    while (!upload->done) {
      co_await upload->changed.wait(std::chrono::seconds(1));
    }
    if (upload->source_error) {
      result = tl::unexpected(transport_error(*upload->source_error, method, url));
    }
  }
  co_return result;
}

}  // namespace ica::ctl
