#include "common/http/tls.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <mutex>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

namespace ica::http {

namespace {

std::string openssl_error() {
  char text[256] = "unknown error";
  if (const unsigned long code = ERR_get_error(); code != 0) {
    ERR_error_string_n(code, text, sizeof text);
  }
  ERR_clear_error();
  return text;
}

Transport::Moved moved(ssize_t n) {
  if (n > 0) {
    return {Transport::Outcome::Done, static_cast<size_t>(n)};
  }
  return {n == 0 ? Transport::Outcome::End : Transport::Outcome::Failed, 0};
}

}  // namespace

void ignore_sigpipe() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction current {};
    if (sigaction(SIGPIPE, nullptr, &current) == 0 && current.sa_handler == SIG_DFL) {
      std::signal(SIGPIPE, SIG_IGN);
    }
  });
}

Result<TlsContext> make_tls_context(const TlsOptions& options) {
  ignore_sigpipe();
  ERR_clear_error();
  TlsContext context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) {
    return fail(Code::Internal, "TLS: {}", openssl_error());
  }
  SSL_CTX* ctx = context.get();
  SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  // Buffers are given back while a connection is idle: they are two thirds of its memory.
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (SSL_CTX_set_cipher_list(ctx,
                              "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-SHA:"
                              "AES256-GCM-SHA384:AES256-SHA") != 1 ||
      SSL_CTX_set1_curves_list(ctx, "P-521:P-384:P-256") != 1) {
    return fail(Code::Internal, "TLS: {}", openssl_error());
  }
  if (SSL_CTX_use_certificate_chain_file(ctx, options.certificate_pem_file.c_str()) != 1) {
    return fail(Code::InvalidArgument, "TLS certificate {}: {}", options.certificate_pem_file,
                openssl_error());
  }
  if (SSL_CTX_use_PrivateKey_file(ctx, options.key_pem_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(ctx) != 1) {
    return fail(Code::InvalidArgument, "TLS key {}: {}", options.key_pem_file, openssl_error());
  }
  return context;
}

void Transport::Free::operator()(ssl_st* ssl) const {
  SSL_free(ssl);
}

Transport::Transport(int descriptor, const TlsContext& context) : descriptor_(descriptor) {
  if (context) {
    ssl_.reset(SSL_new(context.get()));
    ICA_ASSERT(ssl_ != nullptr);
    SSL_set_fd(ssl_.get(), descriptor);
    SSL_set_accept_state(ssl_.get());
  }
}

Transport::Moved Transport::outcome_of(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return {Outcome::WaitRead, 0};
    case SSL_ERROR_WANT_WRITE:
      return {Outcome::WaitWrite, 0};
    case SSL_ERROR_ZERO_RETURN:
      return {Outcome::End, 0};
    default:
      plain_http_ = ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;
      ERR_clear_error();
      return {Outcome::Failed, 0};
  }
}

Transport::Moved Transport::handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  return result == 1 ? Moved{Outcome::Done, 0} : outcome_of(result);
}

Transport::Moved Transport::read(char* data, size_t size) {
  if (ssl_) {
    ERR_clear_error();
    const int n = SSL_read(ssl_.get(), data, static_cast<int>(std::min<size_t>(size, INT_MAX)));
    return n > 0 ? moved(n) : outcome_of(n);
  }
  ssize_t n = 0;
  do {
    n = ::recv(descriptor_, data, size, MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    return {Outcome::WaitRead, 0};
  }
  return moved(n);
}

bool Transport::buffered() const {
  return ssl_ && SSL_pending(ssl_.get()) > 0;
}

Transport::Moved Transport::write(const char* data, size_t size) {
  if (ssl_) {
    ERR_clear_error();
    const int n = SSL_write(ssl_.get(), data, static_cast<int>(std::min<size_t>(size, INT_MAX)));
    return n > 0 ? moved(n) : outcome_of(n);
  }
  ssize_t n = 0;
  do {
    n = ::send(descriptor_, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    return {Outcome::WaitWrite, 0};
  }
  return moved(n);
}

void Transport::finish_writing() {
  if (ssl_ && SSL_is_init_finished(ssl_.get())) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }
  ::shutdown(descriptor_, SHUT_WR);
}

}  // namespace ica::http
