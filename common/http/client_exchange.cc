#include "common/http/client_exchange.h"

#include <algorithm>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/http/headers.h"

namespace ica::http {

namespace {

constexpr size_t kMaxHeaderBytes = 256 * 1024;
constexpr size_t kMaxHeaders = 1000;

// A coroutine's continuation without its type. It keeps the coroutine's io_context running.
template <typename Handler>
class HandlerWaiter final : public Waiter {
 public:
  explicit HandlerWaiter(Handler handler)
      : handler_(std::move(handler)), work_(asio::get_associated_executor(handler_)) {}

  void wake() override {
    const auto executor = work_.get_executor();
    asio::post(executor, std::move(handler_));
    work_.reset();
  }

 private:
  Handler handler_;
  asio::executor_work_guard<asio::associated_executor_t<Handler>> work_;
};

}  // namespace

ClientExchange::ClientExchange(ClientRequest request, bool collect,
                               std::weak_ptr<ClientDriver> driver)
    : request_(std::move(request)),
      collect_(collect),
      driver_(std::move(driver)),
      deadline_(request_.timeout.count() > 0
                    ? Clock::now() + std::chrono::duration_cast<Clock::duration>(request_.timeout)
                    : Clock::time_point::max()) {}

ClientExchange::~ClientExchange() {
  if (easy_ != nullptr) {
    curl_easy_cleanup(easy_);
  }
  curl_slist_free_all(header_list_);
}

void ClientExchange::complete(CURLcode code) {
  if (code != CURLE_OK) {
    fail_with(to_error(code));
    return;
  }
  std::unique_lock lock(mutex_);
  done_ = true;
  headers_done_ = true;
  wake(std::move(lock), true, true);
}

void ClientExchange::fail_with(Error error) {
  std::unique_lock lock(mutex_);
  if (!done_) {
    done_ = true;
    error_ = std::move(error);
  }
  wake(std::move(lock), true, true);
}

void ClientExchange::abandon(Error error) {
  {
    const std::lock_guard lock(mutex_);
    if (done_) {
      return;
    }
  }
  fail_with(std::move(error));
  if (const auto driver = driver_.lock()) {
    driver->drop(shared_from_this());
  }
}

void ClientExchange::resume() {
  {
    const std::lock_guard lock(mutex_);
    active_at_ = Clock::now();
  }
  curl_easy_pause(easy_, CURLPAUSE_CONT);
}

std::optional<ClientExchange::Clock::time_point> ClientExchange::idle_deadline() const {
  const std::lock_guard lock(mutex_);
  if (request_.idle_timeout.count() <= 0 || receive_paused_ || send_paused_) {
    return std::nullopt;
  }
  return active_at_ + std::chrono::duration_cast<Clock::duration>(request_.idle_timeout);
}

void ClientExchange::wake(std::unique_lock<std::mutex> lock, bool reader, bool writer) {
  const std::unique_ptr<Waiter> first = reader ? std::move(reader_) : nullptr;
  const std::unique_ptr<Waiter> second = writer ? std::move(writer_) : nullptr;
  lock.unlock();
  if (first) {
    first->wake();
  }
  if (second) {
    second->wake();
  }
}

Task<void> ClientExchange::wait(Slot slot, Test ready) {
  auto initiate = [this, slot, ready](auto handler) {
    auto waiter = std::make_unique<HandlerWaiter<decltype(handler)>>(std::move(handler));
    {
      const std::lock_guard lock(mutex_);
      if (!(this->*ready)()) {
        this->*slot = std::move(waiter);
        return;
      }
    }
    waiter->wake();
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(std::move(initiate),
                                                                       asio::use_awaitable);
}

Task<Result<int>> ClientExchange::status() {
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (headers_done_) {
        co_return response_.status;
      }
      if (error_) {
        co_return fail(*error_);
      }
    }
    co_await wait(&ClientExchange::reader_, &ClientExchange::has_status);
  }
}

Task<Result<ClientResponse>> ClientExchange::whole() {
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (error_) {
        co_return fail(*error_);
      }
      if (done_) {
        co_return std::move(response_);
      }
    }
    co_await wait(&ClientExchange::reader_, &ClientExchange::is_done);
  }
}

Task<Result<std::optional<Bytes>>> ClientExchange::read() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      if (!received_.empty()) {
        Bytes piece;
        piece.swap(received_);
        const bool paused = receive_paused_;
        lock.unlock();
        if (const auto driver = driver_.lock(); paused && driver) {
          driver->unpause(shared_from_this());
        }
        co_return std::optional<Bytes>(std::move(piece));
      }
      if (error_) {
        co_return fail(*error_);
      }
      if (done_) {
        co_return std::nullopt;
      }
    }
    co_await wait(&ClientExchange::reader_, &ClientExchange::has_data);
  }
}

Task<Status> ClientExchange::write(Bytes piece) {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      if (error_) {
        co_return fail(*error_);
      }
      if (done_ || send_ended_) {
        co_return fail(Code::Closed, "the request has ended");
      }
      if (has_room()) {
        unsent_ += piece.size();
        if (!piece.empty()) {
          to_send_.push_back(std::move(piece));
        }
        const bool paused = send_paused_;
        lock.unlock();
        if (const auto driver = driver_.lock(); paused && driver) {
          driver->unpause(shared_from_this());
        }
        co_return Status();
      }
    }
    co_await wait(&ClientExchange::writer_, &ClientExchange::has_room);
  }
}

Task<Status> ClientExchange::finish() {
  std::unique_lock lock(mutex_);
  if (error_) {
    co_return fail(*error_);
  }
  send_ended_ = true;
  const bool paused = send_paused_;
  lock.unlock();
  if (const auto driver = driver_.lock(); paused && driver) {
    driver->unpause(shared_from_this());
  }
  co_return Status();
}

void ClientExchange::on_header_line(std::string_view line) {
  if (line.starts_with("HTTP/") && !headers_done_) {
    const size_t space = line.find(' ');
    response_.status = 0;
    for (const char c : line.substr(std::min(space, line.size() - 1) + 1, 3)) {
      response_.status = c >= '0' && c <= '9' ? response_.status * 10 + (c - '0') : 0;
    }
    response_.headers.clear();
    return;
  }
  const size_t colon = line.find(':');
  if (colon != std::string_view::npos) {
    Headers& target = headers_done_ ? response_.trailers : response_.headers;
    target.emplace_back(line.substr(0, colon), trim(line.substr(colon + 1)));
  }
}

size_t ClientExchange::on_header(char* data, size_t size, size_t count, void* pointer) {
  auto* self = static_cast<ClientExchange*>(pointer);
  const size_t bytes = size * count;
  std::string_view line(data, bytes);
  while (line.ends_with('\n') || line.ends_with('\r')) {
    line.remove_suffix(1);
  }
  std::unique_lock lock(self->mutex_);
  self->active_at_ = Clock::now();
  self->header_bytes_ += bytes;
  if (self->header_bytes_ > kMaxHeaderBytes ||
      self->response_.headers.size() + self->response_.trailers.size() > kMaxHeaders) {
    lock.unlock();
    self->fail_with({Code::Protocol, "too many headers in the answer"});
    return 0;
  }
  if (!line.empty()) {
    self->on_header_line(line);
  } else if (self->response_.status >= 200 && !self->headers_done_) {
    self->headers_done_ = true;
    self->wake(std::move(lock), !self->collect_, false);
  }
  return bytes;
}

size_t ClientExchange::on_data(char* data, size_t size, size_t count, void* pointer) {
  auto* self = static_cast<ClientExchange*>(pointer);
  const size_t bytes = size * count;
  std::unique_lock lock(self->mutex_);
  self->active_at_ = Clock::now();
  if (self->done_) {
    return 0;  // abandoned
  }
  if (self->collect_) {
    if (bytes >
        self->request_.max_body - std::min(self->response_.body.size(), self->request_.max_body)) {
      lock.unlock();
      self->fail_with({Code::TooLarge,
                       fmt::format("the answer is larger than {} bytes", self->request_.max_body)});
      return 0;
    }
    self->response_.body.append(data, bytes);
    return bytes;
  }
  if (self->received_.size() >= kHighWater) {
    self->receive_paused_ = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  self->receive_paused_ = false;
  self->received_.append(data, bytes);
  self->wake(std::move(lock), true, false);
  return bytes;
}

size_t ClientExchange::on_send(char* data, size_t size, size_t count, void* pointer) {
  auto* self = static_cast<ClientExchange*>(pointer);
  std::unique_lock lock(self->mutex_);
  self->active_at_ = Clock::now();
  if (self->done_) {
    return CURL_READFUNC_ABORT;
  }
  if (self->to_send_.empty()) {
    self->send_paused_ = !self->send_ended_;
    return self->send_ended_ ? 0 : CURL_READFUNC_PAUSE;
  }
  self->send_paused_ = false;
  size_t bytes = 0;
  while (bytes < size * count && !self->to_send_.empty()) {
    const Bytes& front = self->to_send_.front();
    const size_t take = std::min(size * count - bytes, front.size() - self->front_done_);
    std::copy_n(front.data() + self->front_done_, take, data + bytes);
    bytes += take;
    self->front_done_ += take;
    if (self->front_done_ == front.size()) {
      self->to_send_.pop_front();
      self->front_done_ = 0;
    }
  }
  self->unsent_ -= bytes;
  self->sent_ += bytes;
  if (self->unsent_ <= kSendLowWater) {
    self->wake(std::move(lock), false, true);
  }
  return bytes;
}

// libcurl starts over when a kept connection turns out to be closed. What was not taken yet can be
// sent again.
int ClientExchange::on_seek(void* pointer, curl_off_t offset, int origin) {
  auto* self = static_cast<ClientExchange*>(pointer);
  const std::lock_guard lock(self->mutex_);
  return offset == 0 && origin == SEEK_SET && self->sent_ == 0 ? CURL_SEEKFUNC_OK
                                                               : CURL_SEEKFUNC_CANTSEEK;
}

}  // namespace ica::http
