#pragma once

#include <boost/asio/experimental/concurrent_channel.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "common/base/asio.h"

namespace ica {

// Reads page after page on another executor (a disk thread), the next one while the caller works
// on the last. The first page is read alone, so that a short answer costs no second one; after
// that one page more than the caller's is held. The caller may go at any time: a read that runs
// then ends for nobody. Thread-safety: one coroutine at a time calls next().
template <typename T>
class ReadAhead {
 public:
  using Page = Result<std::vector<T>>;

  // `read` must own what it uses. It is called once at a time, until a page is empty or an error.
  ReadAhead(Executor executor, std::function<Page()> read, StopToken stop)
      : executor_(std::move(executor)),
        stop_(std::move(stop)),
        read_(std::make_shared<std::function<Page()>>(std::move(read))) {}

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
    asio::post(executor_, [read = read_, pages = pages_] {
      pages->try_send(boost::system::error_code(), (*read)());
    });
  }

  const Executor executor_;
  const StopToken stop_;
  std::shared_ptr<std::function<Page()>> read_;  // none: at the end
  std::shared_ptr<Pages> pages_;
  bool reading_ = false;
};

}  // namespace ica
