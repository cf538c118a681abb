#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/asio.h"
#include "common/base/bytes.h"
#include "common/base/time.h"

namespace ica::http {

using Headers = std::vector<std::pair<std::string, std::string>>;  // in order; names as sent

// The first value of a header, compared without case; empty when missing.
std::string_view find_header(const Headers& headers, std::string_view name);

struct ClientOptions {
  size_t max_connections = 64;  // to all hosts together
  size_t max_connections_per_host = 16;
  Duration connect_timeout = std::chrono::seconds(10);
  std::string user_agent{};
  std::string unix_socket{};  // when set, every request goes through it
  bool verify_tls = true;
};

struct ClientRequest {
  std::string method = "GET";
  std::string url{};  // http:// or https://
  Headers headers{};
  Bytes body{};                // whole body; ignored when streamed_body
  bool streamed_body = false;  // the body comes through ClientStream::write
  // Deadline for the whole exchange; zero: none.
  Duration timeout{};
  // Cut when no byte arrives or leaves for this long; zero: never.
  Duration idle_timeout{};
  size_t max_body = 16 << 20;  // fetch only: a larger answer fails with TooLarge
  std::string basic_user{}, basic_password{};
};

struct ClientResponse {
  int status = 0;
  Headers headers;
  Headers trailers;
  Bytes body;
};

// An exchange whose bodies are streamed. Back-pressure both ways: at most 256 KiB wait on either
// side. Destroying it ends the exchange. Thread-safety: one coroutine at a time per direction.
class ClientStream {
 public:
  virtual ~ClientStream() = default;
  // Waits for the response's headers. With a streamed body it may be called while writing.
  virtual Task<Result<int>> status() = 0;
  virtual const Headers& headers() const = 0;
  // The next piece of the body; nothing at its clean end. A body that is cut short is an error.
  virtual Task<Result<std::optional<Bytes>>> read() = 0;
  // After read() gave the end.
  virtual const Headers& trailers() const = 0;
  virtual Task<Status> write(Bytes piece) = 0;
  virtual Task<Status> finish() = 0;
};

// HTTP/1.1 client on one thread that runs libcurl's multi interface, with a pool of kept-alive
// connections. Connection failures have the words of Go's net/http where the reference shows them
// to users: `dial tcp 127.0.0.1:5001: connect: connection refused` (callers put `Post "<url>": ` in
// front). Codes: Unavailable (cannot connect), Timeout, Cancelled, TooLarge, Protocol.
// Thread-safety: any thread; coroutines are resumed on their own executors.
class Client {
 public:
  explicit Client(ClientOptions options);
  ~Client();  // ends running exchanges with Cancelled
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Task<Result<ClientResponse>> fetch(ClientRequest request, StopToken stop = {});
  Task<Result<std::unique_ptr<ClientStream>>> open(ClientRequest request, StopToken stop = {});

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ica::http
