#pragma once

#include <chrono>
#include <curl/curl.h>
#include <optional>

namespace ica::http {

// Waits for the sockets and the timer of a multi handle by epoll, so that a request costs the same
// however many others are under way. Thread-safety: one thread; wake() from any.
class ClientPoller {
 public:
  // Takes the handle's socket and timer callbacks; it must not outlive the handle.
  explicit ClientPoller(CURLM* multi);
  ~ClientPoller();
  ClientPoller(const ClientPoller&) = delete;
  ClientPoller& operator=(const ClientPoller&) = delete;

  // Lets libcurl do what its timer is due for; new requests begin so.
  void act_on_timer();
  // Waits for sockets, the timer, wake(), or at most `limit`, and lets libcurl read and write.
  void wait(std::chrono::milliseconds limit);
  void wake();

 private:
  static int on_socket(CURL* easy, curl_socket_t socket, int what, void* self, void* known);
  static int on_timer(CURLM* multi, long milliseconds, void* self);

  CURLM* const multi_;
  const int epoll_;
  const int wakeup_;  // an eventfd
  std::optional<std::chrono::steady_clock::time_point> timer_;
};

}  // namespace ica::http
