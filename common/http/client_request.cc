// How a request is told to libcurl, and how libcurl's errors are told to the caller.
#include <algorithm>
#include <arpa/inet.h>
#include <cstddef>
#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/base/system_words.h"
#include "common/http/client_exchange.h"
#include "common/http/headers.h"

namespace ica::http {

namespace {

constexpr long kReceiveBuffer = 32 * 1024;
// Freed with the exchange; libcurl has one only while it uploads.
constexpr long kUploadBuffer = 256 * 1024;

std::string host_of(std::string_view url) {
  const size_t scheme = url.find("://");
  url.remove_prefix(scheme == std::string_view::npos ? 0 : scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  if (const size_t at = url.rfind('@'); at != std::string_view::npos) {
    url.remove_prefix(at + 1);
  }
  if (url.starts_with('[')) {
    return std::string(url.substr(0, url.find(']') + 1));
  }
  return std::string(url.substr(0, url.find(':')));
}

// As Go's net.OpError names the other end.
std::string endpoint(const sockaddr* address, socklen_t size) {
  char host[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
    return fmt::format("tcp {}:{}", host, ntohs(v4->sin_port));
  }
  if (address->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
    return fmt::format("tcp [{}]:{}", host, ntohs(v6->sin6_port));
  }
  const size_t path = offsetof(sockaddr_un, sun_path);
  const auto* local = reinterpret_cast<const char*>(address) + path;
  return fmt::format("unix {}", std::string_view(local, strnlen(local, size - path)));
}

long milliseconds(Duration d) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(d).count();
  return static_cast<long>(std::clamp<int64_t>(ms, 1, 1'000'000'000));
}

bool has_line_break(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

}  // namespace

Status ClientExchange::prepare(const ClientOptions& options) {
  easy_ = curl_easy_init();
  if (easy_ == nullptr) {
    return fail(Code::Internal, "out of memory");
  }
  const auto set = [this](CURLoption option, auto value) {
    return curl_easy_setopt(easy_, option, value) == CURLE_OK;
  };
  bool ok = set(CURLOPT_URL, request_.url.c_str());
  ok = ok && set(CURLOPT_PROTOCOLS_STR, "http,https");
  ok = ok && set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  ok = ok && set(CURLOPT_PRIVATE, static_cast<void*>(this));
  ok = ok && set(CURLOPT_ERRORBUFFER, words_.data());
  ok = ok && set(CURLOPT_NOSIGNAL, 1L) && set(CURLOPT_NOPROGRESS, 1L);
  ok = ok && set(CURLOPT_PATH_AS_IS, 1L);
  ok = ok && set(CURLOPT_PROXY, "");  // what the agent talks to is never behind the users' proxy
  ok = ok && set(CURLOPT_BUFFERSIZE, kReceiveBuffer);
  ok = ok && set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(options.connect_timeout));
  if (request_.timeout.count() > 0) {
    ok = ok && set(CURLOPT_TIMEOUT_MS, milliseconds(deadline_ - Clock::now()));
  }
  if (!options.unix_socket.empty()) {
    ok = ok && set(CURLOPT_UNIX_SOCKET_PATH, options.unix_socket.c_str());
  }
  if (!options.user_agent.empty()) {
    ok = ok && set(CURLOPT_USERAGENT, options.user_agent.c_str());
  }
  if (!request_.basic_user.empty() || !request_.basic_password.empty()) {
    ok = ok && set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC)) &&
         set(CURLOPT_USERNAME, request_.basic_user.c_str()) &&
         set(CURLOPT_PASSWORD, request_.basic_password.c_str());
  }
  ok = ok && set(CURLOPT_SSL_VERIFYPEER, options.verify_tls ? 1L : 0L) &&
       set(CURLOPT_SSL_VERIFYHOST, options.verify_tls ? 2L : 0L);
  void* self = this;
  ok = ok && set(CURLOPT_HEADERFUNCTION, &on_header) && set(CURLOPT_HEADERDATA, self) &&
       set(CURLOPT_WRITEFUNCTION, &on_data) && set(CURLOPT_WRITEDATA, self) &&
       set(CURLOPT_OPENSOCKETFUNCTION, &on_open_socket) && set(CURLOPT_OPENSOCKETDATA, self);
  if (!ok) {
    return fail(Code::InvalidArgument, "invalid request");
  }
  TRY_VOID(set_body());
  return set_headers();
}

Status ClientExchange::set_body() {
  const std::string& method = request_.method;
  bool ok = true;
  if (method == "HEAD") {
    ok = curl_easy_setopt(easy_, CURLOPT_NOBODY, 1L) == CURLE_OK;
  } else if (request_.streamed_body) {
    const std::string_view length = find_header(request_.headers, "Content-Length");
    curl_off_t size = -1;
    if (!length.empty()) {
      size = 0;
      for (const char c : length.substr(0, 18)) {
        if (c < '0' || c > '9') {
          return fail(Code::InvalidArgument, "invalid Content-Length");
        }
        size = size * 10 + (c - '0');
      }
    }
    ok = curl_easy_setopt(easy_, CURLOPT_POST, 1L) == CURLE_OK &&
         curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, size) == CURLE_OK &&
         curl_easy_setopt(easy_, CURLOPT_UPLOAD_BUFFERSIZE, kUploadBuffer) == CURLE_OK &&
         curl_easy_setopt(easy_, CURLOPT_READFUNCTION, &on_send) == CURLE_OK &&
         curl_easy_setopt(easy_, CURLOPT_READDATA, this) == CURLE_OK &&
         curl_easy_setopt(easy_, CURLOPT_SEEKFUNCTION, &on_seek) == CURLE_OK &&
         curl_easy_setopt(easy_, CURLOPT_SEEKDATA, this) == CURLE_OK;
  } else if (!request_.body.empty() || method == "POST" || method == "PUT" || method == "PATCH") {
    ok = curl_easy_setopt(easy_, CURLOPT_POST, 1L) == CURLE_OK &&
         curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE,
                          static_cast<curl_off_t>(request_.body.size())) == CURLE_OK &&
         curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, request_.body.data()) == CURLE_OK;
  }
  if (method != "GET" || request_.streamed_body || !request_.body.empty()) {
    ok = ok && curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, method.c_str()) == CURLE_OK;
  }
  if (!ok || method.empty() || !std::all_of(method.begin(), method.end(), is_token_char)) {
    return fail(Code::InvalidArgument, "invalid method");
  }
  return {};
}

Status ClientExchange::set_headers() {
  bool typed = false, accepts = false;
  Headers headers = request_.headers;
  for (const auto& [name, value] : headers) {
    typed = typed || iequals(name, "Content-Type");
    accepts = accepts || iequals(name, "Accept");
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_token_char) ||
        has_line_break(value)) {
      return fail(Code::InvalidArgument, "invalid header {}", has_line_break(name) ? "" : name);
    }
  }
  // libcurl adds these by itself unless they are there without a value.
  std::string lines[] = {"Expect:", typed ? "" : "Content-Type:", accepts ? "" : "Accept:"};
  const auto append = [this](const std::string& line) {
    curl_slist* longer = curl_slist_append(header_list_, line.c_str());
    header_list_ = longer != nullptr ? longer : header_list_;
    return longer != nullptr;
  };
  bool ok = true;
  for (const std::string& line : lines) {
    ok = ok && (line.empty() || append(line));
  }
  if (request_.streamed_body && find_header(headers, "Content-Length").empty()) {
    ok = ok && append("Transfer-Encoding: chunked");
  }
  for (const auto& [name, value] : headers) {
    if (iequals(name, "Content-Length") || iequals(name, "Transfer-Encoding")) {
      continue;  // libcurl frames the body
    }
    ok = ok && append(value.empty() ? name + ";" : name + ": " + value);
  }
  if (!ok || curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, header_list_) != CURLE_OK) {
    return fail(Code::Internal, "out of memory");
  }
  return {};
}

std::string_view ClientExchange::origin() const {
  const std::string_view url = request_.url;
  const size_t scheme = url.find("://");
  const size_t host = scheme == std::string_view::npos ? 0 : scheme + 3;
  return url.substr(0, url.find_first_of("/?#", host));
}

std::string ClientExchange::peer() const {
  return dialed_.empty() ? "tcp " + host_of(request_.url) : dialed_;
}

// Go's words for what went wrong between the two ends.
Error ClientExchange::to_error(CURLcode code) const {
  long os_error = 0;
  curl_off_t connected_after = 0;
  curl_easy_getinfo(easy_, CURLINFO_OS_ERRNO, &os_error);
  curl_easy_getinfo(easy_, CURLINFO_CONNECT_TIME_T, &connected_after);
  const bool begun = response_.status != 0;
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return {Code::Unavailable,
              fmt::format("dial tcp: lookup {}: no such host", host_of(request_.url))};
    case CURLE_COULDNT_CONNECT:
      return {Code::Unavailable, os_error != 0
                                     ? fmt::format("dial {}: connect: {}", peer(),
                                                   system_words(static_cast<int>(os_error)))
                                     : fmt::format("dial {}: i/o timeout", peer())};
    case CURLE_OPERATION_TIMEDOUT: {
      if (connected_after == 0 && Clock::now() + std::chrono::milliseconds(50) < deadline_) {
        return {Code::Unavailable, fmt::format("dial {}: i/o timeout", peer())};
      }
      return {Code::Timeout, "context deadline exceeded"};
    }
    case CURLE_GOT_NOTHING:
      return {Code::Unavailable, "EOF"};
    case CURLE_PARTIAL_FILE:
      return {Code::Unavailable, "unexpected EOF"};
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND: {
      if (os_error == ECONNRESET || os_error == EPIPE || os_error == ETIMEDOUT) {
        const char* verb = code == CURLE_RECV_ERROR ? "read" : "write";
        return {Code::Unavailable, fmt::format("{} {}: {}: {}", verb, peer(), verb,
                                               system_words(static_cast<int>(os_error)))};
      }
      return {Code::Unavailable, begun ? "unexpected EOF" : "EOF"};
    }
    case CURLE_URL_MALFORMAT:
      return {Code::InvalidArgument, "invalid URL"};
    case CURLE_UNSUPPORTED_PROTOCOL:
      if (connected_after == 0) {
        return {Code::InvalidArgument, "unsupported protocol scheme"};
      }
      [[fallthrough]];  // what came is no HTTP/1
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_HTTP2:
    case CURLE_BAD_CONTENT_ENCODING:
      return {Code::Protocol, "malformed HTTP response"};
    case CURLE_SSL_CONNECT_ERROR: {
      const std::string_view words = words_.data();
      // How OpenSSL sees an answer in the clear.
      return {Code::Unavailable, words.find("wrong version number") != std::string_view::npos
                                     ? "http: server gave HTTP response to HTTPS client"
                                     : fmt::format("tls: {}", words)};
    }
    case CURLE_PEER_FAILED_VERIFICATION:
      return {Code::Unavailable, "tls: failed to verify certificate"};
    case CURLE_OUT_OF_MEMORY:
      return {Code::Internal, "out of memory"};
    default:
      return {begun ? Code::Protocol : Code::Unavailable, curl_easy_strerror(code)};
  }
}

curl_socket_t ClientExchange::on_open_socket(void* pointer, curlsocktype, curl_sockaddr* address) {
  auto* self = static_cast<ClientExchange*>(pointer);
  if (self->dialed_.empty()) {
    self->dialed_ = endpoint(&address->addr, address->addrlen);
  }
  const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  return fd < 0 ? CURL_SOCKET_BAD : fd;
}

}  // namespace ica::http
