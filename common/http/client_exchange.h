#pragma once

#include <array>
#include <chrono>
#include <curl/curl.h>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "common/http/client.h"

namespace ica::http {

class ClientExchange;

// What an exchange asks of the thread that drives libcurl. Thread-safety: any thread.
class ClientDriver {
 public:
  virtual ~ClientDriver() = default;
  virtual void unpause(std::shared_ptr<ClientExchange> exchange) = 0;
  virtual void drop(std::shared_ptr<ClientExchange> exchange) = 0;
};

// A suspended coroutine; woken once, from any thread.
class Waiter {
 public:
  virtual ~Waiter() = default;
  virtual void wake() = 0;
};

// One request and its answer. The driver's thread fills it, coroutines empty it; the mutex lies
// between them and is never held over a call out.
class ClientExchange : public std::enable_shared_from_this<ClientExchange> {
 public:
  using Clock = std::chrono::steady_clock;

  // `collect`: the answer's body is gathered up to request.max_body, for fetch.
  ClientExchange(ClientRequest request, bool collect, std::weak_ptr<ClientDriver> driver);
  ~ClientExchange();
  ClientExchange(const ClientExchange&) = delete;
  ClientExchange& operator=(const ClientExchange&) = delete;

  // The driver's thread only.
  Status prepare(const ClientOptions& options);
  // "http://host:port": what connections are counted by.
  std::string_view origin() const;
  // Of request.timeout; far away when there is none.
  Clock::time_point deadline() const { return deadline_; }
  CURL* easy() const { return easy_; }
  void complete(CURLcode code);
  void resume();
  // When it will have been idle for too long; nothing while that is not limited, or while it stands
  // still because this side does.
  std::optional<Clock::time_point> idle_deadline() const;

  // Any thread.
  void fail_with(Error error);  // ends it, unless it has ended
  void abandon(Error error);    // the same, and lets go of the connection
  Task<Result<int>> status();
  Task<Result<ClientResponse>> whole();
  Task<Result<std::optional<Bytes>>> read();
  Task<Status> write(Bytes piece);
  Task<Status> finish();
  // Stable once the status is known, and once the body has ended.
  const Headers& headers() const { return response_.headers; }
  const Headers& trailers() const { return response_.trailers; }

 private:
  using Slot = std::unique_ptr<Waiter> ClientExchange::*;
  using Test = bool (ClientExchange::*)() const;

  Status set_body();
  Status set_headers();
  Error to_error(CURLcode code) const;
  std::string peer() const;
  void on_header_line(std::string_view line);
  bool has_status() const { return headers_done_ || done_; }
  bool is_done() const { return done_; }
  bool has_data() const { return done_ || !received_.empty(); }
  bool has_room() const { return done_ || unsent_ < kSendHighWater; }
  Task<void> wait(Slot slot, Test ready);
  void wake(std::unique_lock<std::mutex> lock, bool reader, bool writer);

  static size_t on_header(char* data, size_t size, size_t count, void* self);
  static size_t on_data(char* data, size_t size, size_t count, void* self);
  static size_t on_send(char* data, size_t size, size_t count, void* self);
  static int on_seek(void* self, curl_off_t offset, int origin);
  static curl_socket_t on_open_socket(void* self, curlsocktype purpose, curl_sockaddr* address);

  static constexpr size_t kHighWater = 256 * 1024;  // of what was received
  // A few of the largest blocks: the two threads then need not take turns at each.
  static constexpr size_t kSendHighWater = 1024 * 1024;
  static constexpr size_t kSendLowWater = 512 * 1024;

  const ClientRequest request_;
  const bool collect_;
  const std::weak_ptr<ClientDriver> driver_;
  CURL* easy_ = nullptr;
  curl_slist* header_list_ = nullptr;
  const Clock::time_point deadline_;
  std::array<char, CURL_ERROR_SIZE> words_{};  // libcurl's, for errors that have no better ones
  std::string dialed_;                         // "tcp 127.0.0.1:5001": the first address tried
  size_t header_bytes_ = 0;
  bool connect_failed_ = false;

  mutable std::mutex mutex_;
  ClientResponse response_;
  std::optional<Error> error_;
  std::string received_;
  std::deque<Bytes> to_send_;
  size_t front_done_ = 0;  // of the first piece of to_send_
  size_t unsent_ = 0;      // in to_send_ in all
  size_t sent_ = 0;        // handed to libcurl in all
  Clock::time_point active_at_ = Clock::now();
  bool headers_done_ = false;
  bool done_ = false;
  bool send_ended_ = false;
  bool receive_paused_ = false;
  bool send_paused_ = false;
  std::unique_ptr<Waiter> reader_;
  std::unique_ptr<Waiter> writer_;
};

}  // namespace ica::http
