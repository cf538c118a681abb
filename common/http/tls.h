#pragma once

#include <cstddef>
#include <memory>

#include "common/http/server.h"

struct ssl_ctx_st;
struct ssl_st;

namespace ica::http {

// A write to a socket whose other side is gone must be an error, not the end of the process.
// OpenSSL writes without MSG_NOSIGNAL. Leaves a handler that somebody else has set alone.
void ignore_sigpipe();

using TlsContext = std::shared_ptr<ssl_ctx_st>;

// TLS 1.2 or newer with the reference's suites and curves. Fails with the file's name.
Result<TlsContext> make_tls_context(const TlsOptions& options);

// A non-blocking socket, plain or under TLS. It does not own the descriptor. Every call says what
// happened at once and never waits. Thread-safety: none.
class Transport {
 public:
  enum class Outcome {
    Done,       // `bytes` were moved
    WaitRead,   // nothing; try again when the socket is readable
    WaitWrite,  // nothing; try again when it is writable
    End,        // the other side has closed its direction
    Failed,
  };
  struct Moved {
    Outcome outcome = Outcome::Failed;
    size_t bytes = 0;
  };

  Transport() = default;
  Transport(int descriptor, const TlsContext& context);

  bool secure() const { return ssl_ != nullptr; }
  Moved handshake();
  // After a failed handshake: the client spoke plain HTTP.
  bool plain_http() const { return plain_http_; }
  Moved read(char* data, size_t size);
  // Decrypted bytes wait in memory: read() gives them although the socket is not readable.
  bool buffered() const;
  Moved write(const char* data, size_t size);
  // Tells the other side that no more comes: close_notify, then a half close.
  void finish_writing();

 private:
  Moved outcome_of(int result);

  struct Free {
    void operator()(ssl_st* ssl) const;
  };
  std::unique_ptr<ssl_st, Free> ssl_;
  int descriptor_ = -1;
  bool plain_http_ = false;
};

}  // namespace ica::http
