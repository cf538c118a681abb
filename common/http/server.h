#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/asio.h"
#include "common/base/bytes.h"
#include "common/base/time.h"
#include "common/http/client.h"  // Headers

namespace ica::http {

struct TlsOptions {
  std::string certificate_pem_file;
  std::string key_pem_file;
};

struct ServerOptions {
  std::string name = "http";              // in log lines
  size_t max_header_bytes = 4096 + 4096;  // more is answered 431
  uint64_t max_body_bytes = 0;            // 0: unlimited (bodies are streamed)
  size_t max_connections = 12000;         // further ones are closed at once
  // The pre-accept answer to a full server is a close; the bound protects memory and descriptors.
  Duration read_header_timeout = std::chrono::seconds(5);  // closed without an answer after this
  Duration read_timeout{};                                 // whole request; zero: none
  Duration write_timeout{};                                // whole answer; zero: none
  Duration idle_timeout = std::chrono::minutes(2);         // between requests
  // A reader that takes nothing for this long is cut, whatever write_timeout says.
  Duration stalled_write_timeout = std::chrono::minutes(5);
  std::optional<TlsOptions> tls{};
};

// Pulls the request's body. Back-pressure: what is not read stays in the socket.
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  // The next piece, nothing at the end. Errors: TooLarge, Protocol (bad chunking, cut short),
  // Timeout.
  virtual Task<Result<std::optional<Bytes>>> read() = 0;
  // Ends a read() that waits at the moment with Cancelled, so that an answer can be finished that
  // does not need the rest of the body. On the request's strand.
  virtual void cancel_read() {}
};

struct Request {
  std::string method;
  std::string target;  // as sent: path and query, still encoded
  std::string path;    // encoded path, without the query
  std::string query;   // encoded, without '?'
  int version = 11;    // 10 or 11
  Headers headers;
  std::string remote;  // "127.0.0.1:4711"
  BodyReader* body = nullptr;
  // Stopped when the client goes away or the server shuts down.
  StopToken stop;

  std::string_view header(std::string_view name) const { return find_header(headers, name); }
};

// Writes the one answer to a request. Whoever returns without an answer closes the connection.
class ResponseWriter {
 public:
  virtual ~ResponseWriter() = default;
  // A whole answer with Content-Length. HEAD sends no body. No body bytes and no Content-Length for
  // 204.
  virtual Task<Status> send(int status, Headers headers, Bytes body) = 0;
  // A streamed answer: chunked for HTTP/1.1, until close for 1.0. write() waits while the client is
  // slow; it fails with Closed when the client is gone.
  virtual Task<Status> begin(int status, Headers headers) = 0;
  virtual Task<Status> write(Bytes piece) = 0;
  virtual Task<Status> end(Headers trailers = {}) = 0;
  virtual bool begun() const = 0;
  // The connection is closed after this answer ("Connection: close" is added to its headers).
  virtual void close_after() = 0;
};

// Called once per request, on the connection's strand. Both references live until it returns.
using Handler = std::function<Task<void>(Request&, ResponseWriter&)>;

struct ServerStats {
  std::atomic<uint64_t> accepted{0};
  std::atomic<uint64_t> refused{0};  // over max_connections
  std::atomic<uint64_t> requests{0};
  std::atomic<int64_t> open{0};
};

// HTTP/1.1 server on Asio; chunked bodies are parsed by Boost.Beast. Malformed request lines and
// headers are answered as Go's net/http does ("400 Bad Request" as text, 431, 505), then closed. An
// idle connection costs under 2 KiB. Thread-safety: start and stop from one thread; handlers run on
// `executor`'s threads.
class Server {
 public:
  Server(asio::io_context& context, ServerOptions options, Handler handler);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Binds and starts to accept; may be called for several addresses. Port 0 picks a free port.
  // Returns the bound port.
  Result<uint16_t> listen(const std::string& host, uint16_t port);
  Status listen_unix(const std::string& path);
  // Reads the certificate files again; running connections keep theirs.
  Status reload_tls();
  // Stops accepting, stops requests' tokens, waits at most `grace` for answers, then cuts.
  Task<void> shutdown(Duration grace);
  const ServerStats& stats() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ica::http
