#pragma once

#include <boost/asio/experimental/concurrent_channel.hpp>
#include <functional>
#include <memory>
#include <variant>
#include <vector>

#include "common/base/async.h"

namespace ica {

// Reads page after page on another executor (a disk thread, or the strand of a connection), the
// next one while the caller works on the last. The first page is read alone, so that a short answer
// costs no second one; after that one page more than the caller's is held. The caller may go at any
// time: a read that runs then ends for nobody. Thread-safety: one coroutine at a time calls next().
template <typename T>
class ReadAhead {
 public:
  using Page = Result<std::vector<T>>;
  using Read = std::function<Page()>;
  using AsyncRead = std::function<Task<Page>()>;

  // `read` must own what it uses. It is called once at a time, until a page is empty or an error.
  ReadAhead(Executor executor, std::variant<Read, AsyncRead> read, StopToken stop)
      : executor_(std::move(executor)),
        stop_(std::move(stop)),
        read_(std::make_shared<std::variant<Read, AsyncRead>>(std::move(read))) {}

  // Empty at the end and ever after, when what `read` owns is let go.
  Task<Page> next() {
    if (!read_) {
      co_return std::vector<T>();
    }
    if (stop_.stop_requested()) {
      co_return fail(Code::Cancelled, "context canceled");
    }
    const bool first = !pages_;
    if (first) {
      pages_ = std::make_shared<Pages>(co_await asio::this_coro::executor, 1);
    }
    if (!reading_) {
      begin();
    }
    boost::system::error_code ec;
    Page page = co_await pages_->async_receive(asio::redirect_error(asio::use_awaitable, ec));
    reading_ = false;
    if (ec) {
      co_return fail(Code::Cancelled, "context canceled");
    }
    if (page && page->empty()) {
      read_.reset();
    } else if (page && !first) {
      begin();
    }
    co_return page;
  }

 private:
  using Pages =
      asio::experimental::concurrent_channel<Executor, void(boost::system::error_code, Page)>;

  void begin() {
    reading_ = true;
    if (std::holds_alternative<AsyncRead>(*read_)) {
      spawn(executor_, read_one(read_, pages_), "reading ahead");
      return;
    }
    asio::post(executor_, [read = read_, pages = pages_] {
      pages->try_send(boost::system::error_code(), std::get<Read>(*read)());
    });
  }

  static Task<void> read_one(std::shared_ptr<std::variant<Read, AsyncRead>> read,
                             std::shared_ptr<Pages> pages) {
    Page page = co_await std::get<AsyncRead>(*read)();
    pages->try_send(boost::system::error_code(), std::move(page));
  }

  const Executor executor_;
  const StopToken stop_;
  std::shared_ptr<std::variant<Read, AsyncRead>> read_;  // none: at the end
  std::shared_ptr<Pages> pages_;
  bool reading_ = false;
};

}  // namespace ica
