#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "agent/ctl/endpoint.h"
#include "common/base/asio.h"
#include "common/base/bytes.h"
#include "common/base/time.h"

namespace ica::http {
class Client;
struct ClientRequest;
}  // namespace ica::http

namespace ica::ctl {

class Console;

// Why a request gave no answer.
struct ApiError {
  int code = 0;         // HTTP status; 0 when the request could not be made at all
  std::string message;  // with its context: `Get "http://...": dial tcp ...`
  // Found while reading the answer or in the arguments: told on stderr instead of as an answer.
  bool local = false;
  bool timed_out = false;
};
template <typename T>
using ApiResult = tl::expected<T, ApiError>;

// What an upload sends, piece by piece.
class BodySource {
 public:
  virtual ~BodySource() = default;
  virtual std::string content_type() const = 0;
  // The next piece; nothing at the end. An error cuts the request.
  virtual Task<Result<std::optional<Bytes>>> next() = 0;
  // Begins again, for the next host.
  virtual void rewind() = 0;
};

struct ApiOptions {
  std::vector<Endpoint> endpoints;
  Duration timeout{};  // for one exchange, zero: none
  std::string user, password;
  bool verify_tls = true;
  bool debug = false;
};

// The REST API of a cluster peer. A request that could not be made goes to the next endpoint, one
// that was answered does not, whatever the answer. Thread-safety: one coroutine at a time.
class ApiClient {
 public:
  // Gets each JSON document of a stream as it arrives.
  using Sink = std::function<void(std::string_view document)>;

  ApiClient(ApiOptions options, Console& console);
  ~ApiClient();
  ApiClient(const ApiClient&) = delete;
  ApiClient& operator=(const ApiClient&) = delete;

  // The answer's JSON document; empty for 204. `path` begins with a slash and carries the query.
  // `at_most` shortens the timeout.
  Task<ApiResult<std::string>> call(std::string method, std::string path, Duration at_most = {});
  // Errors of the stream's trailer come as code 500 after what was received.
  Task<ApiResult<void>> stream(std::string method, std::string path, Sink sink);
  Task<ApiResult<void>> upload(std::string path, std::shared_ptr<BodySource> body, Sink sink);

  const ApiOptions& options() const { return options_; }

 private:
  http::Client& client_for(const Endpoint& endpoint);
  http::ClientRequest make_request(const Endpoint& endpoint, const std::string& method,
                                   const std::string& path) const;
  Task<ApiResult<std::string>> call_one(const Endpoint& endpoint, std::string method,
                                        std::string path, Duration at_most);
  Task<ApiResult<void>> stream_one(const Endpoint& endpoint, std::string method, std::string path,
                                   std::shared_ptr<BodySource> body, Sink sink);
  void debug(std::string_view line) const;

  ApiOptions options_;
  Console& console_;
  std::vector<std::pair<std::string, std::unique_ptr<http::Client>>> clients_;  // by unix socket
};

}  // namespace ica::ctl
