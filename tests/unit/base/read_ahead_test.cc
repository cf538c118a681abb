#include "common/base/read_ahead.h"

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <doctest/doctest.h>
#include <future>
#include <thread>
#include <variant>

#include "common/base/async.h"

using namespace ica;

namespace {

using Page = ReadAhead<int>::Page;

// Pages of one number: 1, 2, ... `last`, then `end`.
struct Source {
  std::shared_ptr<std::atomic<int>> reads = std::make_shared<std::atomic<int>>(0);
  int last = 3;
  Page end = std::vector<int>();

  Page operator()() const {
    const int n = ++*reads;
    return n <= last ? Page(std::vector<int>{n}) : end;
  }
};

// The same, each page some time later.
struct SlowSource {
  Source source;
  Task<Page> operator()() const { return later(source); }
  static Task<Page> later(Source source) {
    co_await asio::post(asio::use_awaitable);
    co_return source();
  }
};

Task<void> take(std::shared_ptr<ReadAhead<int>> pages, size_t count, std::vector<Page>* out) {
  for (size_t i = 0; i < count; ++i) {
    out->push_back(co_await pages->next());
  }
}

std::vector<Page> taken(asio::io_context& ctx, const std::shared_ptr<ReadAhead<int>>& pages,
                        size_t count) {
  std::vector<Page> out;
  spawn(ctx.get_executor(), take(pages, count, &out), "a test's reader");
  ctx.restart();
  ctx.run();
  return out;
}

}  // namespace

TEST_CASE("pages come in order, with their end or error behind them, whether a read waits or not") {
  for (const bool waits : {false, true}) {
    for (const bool fails : {false, true}) {
      CAPTURE(waits);
      CAPTURE(fails);
      asio::io_context ctx;
      asio::thread_pool disk(2);
      Source source;
      if (fails) {
        source.end = fail(Code::Corrupt, "torn");
      }
      std::variant<ReadAhead<int>::Read, ReadAhead<int>::AsyncRead> read = source;
      if (waits) {
        read = SlowSource{source};
      }
      const auto pages = taken(
          ctx, std::make_shared<ReadAhead<int>>(disk.get_executor(), std::move(read), StopToken()),
          4);
      REQUIRE(pages.size() == 4);
      for (int i = 0; i < 3; ++i) {
        CHECK(pages[static_cast<size_t>(i)].value() == std::vector<int>{i + 1});
      }
      CHECK(pages[3].has_value() == !fails);
      if (fails) {
        CHECK(pages[3].error().message() == "torn");
      } else {
        CHECK(pages[3]->empty());
      }
      disk.wait();
      CHECK(*source.reads == 4);  // nothing behind the end
      CHECK(source.reads.use_count() == 1);
    }
  }
}

TEST_CASE("one page is read ahead, but not behind the first") {
  asio::io_context ctx;
  asio::io_context disk;
  Source source;
  source.last = 100;
  const auto work = asio::make_work_guard(disk);
  std::thread thread([&disk] { disk.run(); });
  const auto pages = std::make_shared<ReadAhead<int>>(disk.get_executor(), source, StopToken());
  const auto settled = [&disk] {
    std::promise<void> done;
    asio::post(disk, [&done] { done.set_value(); });
    done.get_future().wait();
  };
  CHECK(taken(ctx, pages, 1).size() == 1);
  settled();
  CHECK(*source.reads == 1);
  CHECK(taken(ctx, pages, 1).size() == 1);
  settled();
  CHECK(*source.reads == 3);
  CHECK(taken(ctx, pages, 2).back().value() == std::vector<int>{4});
  settled();
  CHECK(*source.reads == 5);
  disk.stop();
  thread.join();
}

TEST_CASE("at its end nothing is read any more, and a stop is told before the next page") {
  asio::io_context ctx;
  asio::thread_pool disk(1);
  Source source;
  StopSource stop;
  const auto pages =
      std::make_shared<ReadAhead<int>>(disk.get_executor(), source, stop.get_token());
  CHECK(taken(ctx, pages, 1).front().has_value());
  SUBCASE("at the end") {
    for (const Page& page : taken(ctx, pages, 5)) {
      CHECK(page.has_value());
    }
    CHECK(*source.reads == 4);
    disk.wait();
    CHECK(source.reads.use_count() == 1);
  }
  SUBCASE("stopped") {
    stop.request_stop();
    CHECK(taken(ctx, pages, 1).front().error().code() == Code::Cancelled);
    CHECK(*source.reads == 1);
  }
}

TEST_CASE("a reader may go while a page is read") {
  asio::io_context ctx;
  asio::io_context disk;
  const auto work = asio::make_work_guard(disk);
  Source source;
  std::vector<Page> out;
  spawn(ctx.get_executor(),
        take(std::make_shared<ReadAhead<int>>(disk.get_executor(), source, StopToken()), 2, &out),
        "a test's reader");
  while (out.size() < 2) {
    ctx.restart();
    ctx.poll();
    if (out.size() < 2) {
      disk.poll_one();
    }
  }
  CHECK(*source.reads == 2);
  disk.poll();
  CHECK(*source.reads == 3);
}
