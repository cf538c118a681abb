#include "agent/p2p/yamux.h"

#include "tests/unit/p2p/memory_channel.h"
#include "tests/unit/p2p/run.h"

using namespace ica;
using namespace ica::p2p;

namespace {

struct Ends {
  explicit Ends(asio::io_context& context, yamux::Options options = {}) {
    auto [a, b] = MemoryChannel::pair(context.get_executor());
    dialler = std::make_shared<yamux::Session>(a, true, context.get_executor(), options);
    listener = std::make_shared<yamux::Session>(b, false, context.get_executor(), options);
    dialler->start([](yamux::YamuxStreamPtr) {}, [this](const Error& e) { closed += e.message(); });
    listener->start([this](yamux::YamuxStreamPtr s) { accepted.push_back(std::move(s)); },
                    [](const Error&) {});
  }
  Ends(const Ends&) = delete;
  ~Ends() {
    dialler->close();
    listener->close();
  }
  std::shared_ptr<yamux::Session> dialler;
  std::shared_ptr<yamux::Session> listener;
  std::vector<yamux::YamuxStreamPtr> accepted;
  std::string closed;
};

Task<yamux::YamuxStreamPtr> next_accepted(Ends& ends) {
  while (ends.accepted.empty()) {
    co_await asio::post(ends.dialler->strand(), asio::use_awaitable);
  }
  auto s = ends.accepted.front();
  ends.accepted.erase(ends.accepted.begin());
  co_return s;
}

Task<Bytes> read_all(yamux::YamuxStreamPtr s) {
  Bytes all;
  for (;;) {
    auto piece = co_await s->read_some(100'000);
    REQUIRE(piece.has_value());
    if (piece->empty()) {
      co_return all;
    }
    all += *piece;
  }
}

Task<void> write_all(yamux::YamuxStreamPtr s, Bytes data) {
  auto written = co_await s->write(std::move(data));
  CHECK(written.has_value());
  auto ended = co_await s->close_write();
  CHECK(ended.has_value());
}

Bytes pattern(size_t size) {
  Bytes out(size, '\0');
  for (size_t i = 0; i < size; ++i) {
    out[i] = static_cast<char>(i * 131 + i / 251);
  }
  return out;
}

}  // namespace

TEST_CASE("a header survives encoding, and nonsense is refused") {
  const yamux::Header h{yamux::Type::WindowUpdate, yamux::kSyn, 7, 262144};
  const auto bytes = yamux::encode(h);
  auto back = yamux::decode_header({bytes.data(), bytes.size()});
  REQUIRE(back.has_value());
  CHECK(*back == h);
  Bytes bad(bytes.data(), bytes.size());
  bad[0] = 1;
  CHECK(yamux::decode_header(bad).error().code() == Code::Protocol);
  bad[0] = 0;
  bad[1] = 4;
  CHECK(!yamux::decode_header(bad));
  bad[1] = 2;  // a ping on stream 7
  CHECK(!yamux::decode_header(bad));
}

TEST_CASE("megabytes go both ways through one stream") {
  asio::io_context context;
  Ends ends(context);
  const auto scenario = [](Ends* e) -> Task<void> {
    const Bytes there = pattern(5'000'000);
    const Bytes back = pattern(3'000'001);
    auto opened = e->dialler->open();
    REQUIRE(opened.has_value());
    auto near = *opened;
    auto far = co_await next_accepted(*e);
    spawn(e->dialler->strand(), write_all(near, there), "writer");
    spawn(e->dialler->strand(), write_all(far, back), "writer");
    const Bytes got_there = co_await read_all(far);
    const Bytes got_back = co_await read_all(near);
    CHECK(got_there == there);
    CHECK(got_back == back);
  };
  run_on(context, scenario, &ends);
  CHECK(ends.dialler->streams() == 0);
  CHECK(ends.listener->streams() == 0);
}

TEST_CASE("a writer waits for a reader that does not read, within the window") {
  asio::io_context context;
  Ends ends(context);
  const auto scenario = [](Ends* e) -> Task<void> {
    auto near = *e->dialler->open();
    auto far = co_await next_accepted(*e);
    near->set_deadline(std::chrono::steady_clock::now() + std::chrono::milliseconds(200));
    auto written = co_await near->write(pattern(2'000'000));
    REQUIRE(!written.has_value());
    CHECK(written.error().code() == Code::Timeout);
    // What arrived is one initial window, no more.
    near->set_deadline({});
    auto ended = co_await near->close_write();
    CHECK(ended.has_value());
    Bytes got = co_await read_all(far);
    CHECK(got.size() == yamux::kInitialWindow);
  };
  run_on(context, scenario, &ends);
}

namespace {

Task<void> write_until_stuck(yamux::YamuxStreamPtr s, bool* stuck) {
  auto written = co_await s->write(pattern(16'000'000));
  CHECK(!written.has_value());
  *stuck = true;
}

// A reader takes 2 MB in pieces of `limit`, letting others run `turns` times between two of them,
// then stops. Returns how much the writer can still send.
Task<void> send_ahead(Ends* e, size_t limit, int turns, size_t* ahead) {
  auto near = *e->dialler->open();
  auto far = co_await next_accepted(*e);
  near->set_deadline(std::chrono::steady_clock::now() + std::chrono::seconds(2));
  bool stuck = false;
  spawn(e->dialler->strand(), write_until_stuck(near, &stuck), "writer");
  for (size_t got = 0; got < 2'000'000;) {
    auto piece = co_await far->read_some(limit);
    REQUIRE(piece.has_value());
    got += piece->size();
    for (int i = 0; i < turns; ++i) {
      co_await asio::post(e->dialler->strand(), asio::use_awaitable);
    }
  }
  while (!stuck) {
    co_await asio::post(e->dialler->strand(), asio::use_awaitable);
  }
  near->set_deadline({});
  auto ended = co_await near->close_write();
  CHECK(ended.has_value());
  const Bytes rest = co_await read_all(far);
  *ahead = rest.size();
}

}  // namespace

TEST_CASE("the window grows for a reader that waits, not for one that is behind") {
  size_t eager = 0, slow = 0;
  {
    asio::io_context context;
    Ends ends(context);
    run_on(context, send_ahead, &ends, size_t{1'000'000}, 0, &eager);
  }
  {
    asio::io_context context;
    Ends ends(context);
    run_on(context, send_ahead, &ends, size_t{1'000}, 20, &slow);
  }
  CHECK(eager > yamux::kInitialWindow);
  CHECK(slow <= yamux::kInitialWindow);
}

TEST_CASE("a reset ends both directions at the other side, and others go on") {
  asio::io_context context;
  Ends ends(context);
  const auto scenario = [](Ends* e) -> Task<void> {
    auto near = *e->dialler->open();
    auto far = co_await next_accepted(*e);
    auto near2 = *e->dialler->open();
    auto far2 = co_await next_accepted(*e);
    near->reset();
    auto read = co_await far->read_some(10);
    REQUIRE(!read.has_value());
    CHECK(read.error().code() == Code::Closed);
    auto written = co_await near2->write("hello");
    CHECK(written.has_value());
    auto got = co_await far2->read_some(10);
    REQUIRE(got.has_value());
    CHECK(*got == "hello");
  };
  run_on(context, scenario, &ends);
}

TEST_CASE("a dropped stream is reset") {
  asio::io_context context;
  Ends ends(context);
  const auto scenario = [](Ends* e) -> Task<void> {
    auto near = *e->dialler->open();
    auto far = co_await next_accepted(*e);
    near.reset();
    auto read = co_await far->read_some(10);
    CHECK(!read.has_value());
  };
  run_on(context, scenario, &ends);
  CHECK(ends.dialler->streams() == 0);
}

TEST_CASE("pings are answered, and an end of the connection ends everything") {
  asio::io_context context;
  Ends ends(context);
  const auto scenario = [](Ends* e) -> Task<void> {
    auto time = co_await e->dialler->ping();
    CHECK(time.has_value());
    auto near = *e->dialler->open();
    auto far = co_await next_accepted(*e);
    e->listener->close();
    auto read = co_await near->read_some(10);
    CHECK(!read.has_value());
    CHECK(e->dialler->closed());
    CHECK(!e->dialler->open().has_value());
    auto late = co_await e->dialler->ping();
    CHECK(!late.has_value());
  };
  run_on(context, scenario, &ends);
  CHECK(!ends.closed.empty());
}

TEST_CASE("more streams than allowed are reset, not held") {
  asio::io_context context;
  yamux::Options options;
  options.max_inbound_streams = 3;
  Ends ends(context, options);
  const auto scenario = [](Ends* e) -> Task<void> {
    std::vector<yamux::YamuxStreamPtr> streams;
    for (int i = 0; i < 5; ++i) {
      streams.push_back(*e->dialler->open());
    }
    auto refused = co_await streams[4]->read_some(1);
    CHECK(!refused.has_value());
    CHECK(e->accepted.size() == 3);
  };
  run_on(context, scenario, &ends);
}

TEST_CASE("violations end the session") {
  struct Violation {
    const char* what;
    Bytes bytes;
  };
  const auto frame = [](yamux::Header h, Bytes payload = {}) {
    const auto head = yamux::encode(h);
    return Bytes(head.data(), head.size()) + payload;
  };
  const std::vector<Violation> violations = {
      {"wrong parity", frame({yamux::Type::WindowUpdate, yamux::kSyn, 2, 0})},
      {"id used before", frame({yamux::Type::WindowUpdate, yamux::kSyn, 1, 0}) +
                             frame({yamux::Type::WindowUpdate, yamux::kSyn, 1, 0})},
      {"window exceeded", frame({yamux::Type::Data, yamux::kSyn, 1, 262145}, Bytes(262145, 'x'))},
      {"window overflow", frame({yamux::Type::WindowUpdate, yamux::kSyn, 1, 0xffffffff})},
      {"data after the end", frame({yamux::Type::WindowUpdate, yamux::kSyn | yamux::kFin, 1, 0}) +
                                 frame({yamux::Type::Data, 0, 1, 1}, "x")},
      {"unknown version", Bytes(12, '\1')},
  };
  for (const Violation& v : violations) {
    CAPTURE(v.what);
    asio::io_context context;
    auto [a, b] = MemoryChannel::pair(context.get_executor());
    auto listener = std::make_shared<yamux::Session>(b, false, context.get_executor());
    bool closed = false;
    std::vector<yamux::YamuxStreamPtr> held;
    listener->start([&](yamux::YamuxStreamPtr s) { held.push_back(std::move(s)); },
                    [&](const Error&) { closed = true; });
    const auto scenario = [](std::shared_ptr<MemoryChannel> remote, Bytes bytes,
                             bool* done) -> Task<void> {
      auto written = co_await remote->write(bytes);
      static_cast<void>(written);
      while (!*done) {
        auto r = co_await remote->read_some(1000);
        if (!r || r->empty()) {
          break;
        }
      }
    };
    run_on(context, scenario, a, v.bytes, &closed);
    CHECK(closed);
    held.clear();
    a->close();
  }
}

TEST_CASE("a remote that floods us with pings and never reads is cut off") {
  asio::io_context context;
  auto [a, b] = MemoryChannel::pair(context.get_executor());
  auto listener = std::make_shared<yamux::Session>(b, false, context.get_executor());
  bool closed = false;
  listener->start([](yamux::YamuxStreamPtr) {}, [&](const Error&) { closed = true; });
  const auto scenario = [](std::shared_ptr<MemoryChannel> remote, bool* done) -> Task<void> {
    const auto head = yamux::encode({yamux::Type::Ping, yamux::kSyn, 0, 1});
    Bytes many;
    for (int i = 0; i < 1000; ++i) {
      many.append(head.data(), head.size());
    }
    for (int i = 0; i < 200 && !*done; ++i) {
      auto written = co_await remote->write(many);
      if (!written) {
        break;
      }
      co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    }
  };
  run_on(context, scenario, a, &closed);
  CHECK(closed);
  a->close();
}
