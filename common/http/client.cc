#include "common/http/client.h"

#include <deque>
#include <mutex>
#include <optional>
#include <pthread.h>
#include <thread>
#include <unordered_map>

#include "common/http/client_exchange.h"
#include "common/http/client_poller.h"
#include "common/http/tls.h"  // ignore_sigpipe

namespace ica::http {

namespace {

constexpr auto kCheck = std::chrono::milliseconds(50);
constexpr auto kLongest = std::chrono::minutes(10);
constexpr long kKeptConnections = 16;

void init_curl() {
  static std::once_flag once;
  std::call_once(once, [] {
    ignore_sigpipe();
    ICA_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
  });
}

// Runs libcurl's multi interface on one thread, which starts with the first request.
class Loop final : public ClientDriver, public std::enable_shared_from_this<Loop> {
 public:
  explicit Loop(ClientOptions options) : options_(std::move(options)) {}

  void add(std::shared_ptr<ClientExchange> exchange) { push({Command::Add, std::move(exchange)}); }
  void unpause(std::shared_ptr<ClientExchange> exchange) override {
    push({Command::Unpause, std::move(exchange)});
  }
  void drop(std::shared_ptr<ClientExchange> exchange) override {
    push({Command::Drop, std::move(exchange)});
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
      if (poller_) {
        poller_->wake();
      }
    }
    if (thread_.joinable()) {
      thread_.join();
    }
  }

 private:
  struct Command {
    enum Kind { Add, Unpause, Drop } kind;
    std::shared_ptr<ClientExchange> exchange;
  };

  void push(Command command) {
    std::unique_lock lock(mutex_);
    if (stopped_) {
      lock.unlock();
      command.exchange->fail_with({Code::Cancelled, "context canceled"});
      return;
    }
    const bool first = commands_.empty();
    commands_.push_back(std::move(command));
    if (!running_) {
      running_ = true;
      init_curl();
      multi_ = curl_multi_init();
      ICA_ASSERT(multi_ != nullptr);
      poller_.emplace(multi_);
      thread_ = std::thread([this] { run(); });
    } else if (first) {
      poller_->wake();
    }
  }

  void run() {
    pthread_setname_np(pthread_self(), "http-client");
    curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                      static_cast<long>(options_.max_connections));
    curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS,
                      static_cast<long>(options_.max_connections_per_host));
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kKeptConnections);
    std::vector<Command> commands;
    while (take(commands)) {
      for (Command& command : commands) {
        apply(command);
      }
      commands.clear();
      start_queued();
      poller_->act_on_timer();
      if (reap() && !queued_.empty()) {
        continue;  // there is room for the next
      }
      poller_->wait(cut_late());
    }
    for (const auto& [easy, exchange] : active_) {
      curl_multi_remove_handle(multi_, easy);
      exchange->fail_with({Code::Cancelled, "context canceled"});
    }
    active_.clear();
    for (const auto& exchange : queued_) {
      exchange->fail_with({Code::Cancelled, "context canceled"});
    }
    queued_.clear();
    for (const Command& command : commands) {
      command.exchange->fail_with({Code::Cancelled, "context canceled"});
    }
    const std::lock_guard lock(mutex_);
    curl_multi_cleanup(multi_);  // calls the poller's callbacks
    poller_.reset();
    multi_ = nullptr;
  }

  // False when it is time to stop; `commands` then holds what nobody will do.
  bool take(std::vector<Command>& commands) {
    const std::lock_guard lock(mutex_);
    commands.swap(commands_);
    return !stopped_;
  }

  void apply(Command& command) {
    ClientExchange& exchange = *command.exchange;
    next_check_ = {};  // its deadline may be the nearest now
    switch (command.kind) {
      case Command::Add:
        queued_.push_back(std::move(command.exchange));
        return;
      case Command::Unpause:
        if (active_.contains(exchange.easy())) {
          exchange.resume();
        }
        return;
      case Command::Drop:
        if (!remove(exchange.easy())) {
          std::erase(queued_, command.exchange);
        }
        return;
    }
  }

  // Requests wait here for a connection and not in libcurl, where each would cost 15 KiB.
  void start_queued() {
    for (auto it = queued_.begin();
         it != queued_.end() && active_.size() < options_.max_connections;) {
      const std::string origin((*it)->origin());
      if (per_origin_[origin] >= options_.max_connections_per_host) {
        ++it;
        continue;
      }
      const std::shared_ptr<ClientExchange> exchange = std::move(*it);
      it = queued_.erase(it);
      if (auto prepared = exchange->prepare(options_); !prepared) {
        exchange->fail_with(std::move(prepared).error());
      } else if (curl_multi_add_handle(multi_, exchange->easy()) != CURLM_OK) {
        exchange->fail_with({Code::Internal, "out of memory"});
      } else {
        active_.emplace(exchange->easy(), exchange);
        ++per_origin_[origin];
      }
    }
    if (queued_.empty()) {
      std::erase_if(per_origin_, [](const auto& entry) { return entry.second == 0; });
    }
  }

  std::shared_ptr<ClientExchange> remove(CURL* easy) {
    const auto found = active_.find(easy);
    if (found == active_.end()) {
      return nullptr;
    }
    auto exchange = std::move(found->second);
    active_.erase(found);
    --per_origin_[std::string(exchange->origin())];
    curl_multi_remove_handle(multi_, easy);
    return exchange;
  }

  bool reap() {
    int left = 0;
    bool ended = false;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg == CURLMSG_DONE) {
        const CURLcode code = message->data.result;
        CURL* easy = message->easy_handle;
        if (const auto exchange = remove(easy)) {
          exchange->complete(code);
          ended = true;
        }
      }
    }
    return ended;
  }

  // Ends what has stood still or waited for too long, and says how long to sleep at most.
  std::chrono::milliseconds cut_late() {
    const auto now = ClientExchange::Clock::now();
    if (active_.empty() && queued_.empty()) {
      return kLongest;
    }
    if (now < next_check_) {
      return std::chrono::ceil<std::chrono::milliseconds>(next_check_ - now);
    }
    auto next = now + kLongest;
    std::vector<std::shared_ptr<ClientExchange>> idle, late;
    for (const auto& [easy, exchange] : active_) {
      if (const auto deadline = exchange->idle_deadline()) {
        if (*deadline <= now) {
          idle.push_back(exchange);
        }
        next = std::min(next, *deadline);
      }
    }
    for (const auto& exchange : queued_) {
      if (exchange->deadline() <= now) {
        late.push_back(exchange);
      }
      next = std::min(next, exchange->deadline());
    }
    for (const auto& exchange : idle) {
      remove(exchange->easy());
      exchange->fail_with({Code::Timeout, "i/o timeout"});
    }
    for (const auto& exchange : late) {
      std::erase(queued_, exchange);
      exchange->fail_with({Code::Timeout, "context deadline exceeded"});
    }
    // Traffic moves a deadline only away; what brings one near is a command, which looks again.
    next_check_ = std::max(next, now + kCheck);
    return std::chrono::ceil<std::chrono::milliseconds>(next_check_ - now);
  }

  const ClientOptions options_;
  std::mutex mutex_;
  std::vector<Command> commands_;
  CURLM* multi_ = nullptr;
  std::optional<ClientPoller> poller_;
  bool running_ = false;
  bool stopped_ = false;
  std::thread thread_;
  // The thread's own.
  std::unordered_map<CURL*, std::shared_ptr<ClientExchange>> active_;
  std::deque<std::shared_ptr<ClientExchange>> queued_;
  std::unordered_map<std::string, size_t> per_origin_;
  ClientExchange::Clock::time_point next_check_{};
};

struct Cancel {
  std::weak_ptr<ClientExchange> exchange;
  void operator()() const {
    if (const auto held = exchange.lock()) {
      held->abandon({Code::Cancelled, "context canceled"});
    }
  }
};

class Stream final : public ClientStream {
 public:
  Stream(std::shared_ptr<ClientExchange> exchange, const StopToken& stop)
      : exchange_(std::move(exchange)), on_stop_(stop, Cancel{exchange_}) {}
  ~Stream() override { exchange_->abandon({Code::Cancelled, "context canceled"}); }

  Task<Result<int>> status() override { return exchange_->status(); }
  const Headers& headers() const override { return exchange_->headers(); }
  Task<Result<std::optional<Bytes>>> read() override { return exchange_->read(); }
  const Headers& trailers() const override { return exchange_->trailers(); }
  Task<Status> write(Bytes piece) override { return exchange_->write(std::move(piece)); }
  Task<Status> finish() override { return exchange_->finish(); }

 private:
  std::shared_ptr<ClientExchange> exchange_;
  std::stop_callback<Cancel> on_stop_;
};

}  // namespace

class Client::Impl {
 public:
  explicit Impl(ClientOptions options) : loop(std::make_shared<Loop>(std::move(options))) {}
  ~Impl() { loop->stop(); }

  std::shared_ptr<Loop> loop;
};

Client::Client(ClientOptions options) : impl_(std::make_shared<Impl>(std::move(options))) {}
Client::~Client() {
  impl_->loop->stop();
}

Task<Result<ClientResponse>> Client::fetch(ClientRequest request, StopToken stop) {
  if (stop.stop_requested()) {
    co_return fail(Code::Cancelled, "context canceled");
  }
  request.streamed_body = false;
  const auto exchange = std::make_shared<ClientExchange>(std::move(request), true, impl_->loop);
  impl_->loop->add(exchange);
  const std::stop_callback on_stop(stop, Cancel{exchange});
  co_return co_await exchange->whole();
}

Task<Result<std::unique_ptr<ClientStream>>> Client::open(ClientRequest request, StopToken stop) {
  if (stop.stop_requested()) {
    co_return fail(Code::Cancelled, "context canceled");
  }
  auto exchange = std::make_shared<ClientExchange>(std::move(request), false, impl_->loop);
  impl_->loop->add(exchange);
  std::unique_ptr<ClientStream> stream = std::make_unique<Stream>(std::move(exchange), stop);
  co_return stream;
}

}  // namespace ica::http
