// Peers that misbehave, outside of the secret and inside.
#include <boost/asio/connect.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "agent/p2p/multistream.h"
#include "agent/p2p/tcp_channel.h"
#include "agent/p2p/upgrade.h"
#include "common/crypto/random.h"
#include "tests/unit/p2p/hosts.h"

using namespace ica;
using namespace ica::p2p;
using namespace std::chrono_literals;
using asio::ip::tcp;

namespace {

// A plain socket to a host.
class RawClient {
 public:
  explicit RawClient(const Host& host) : socket_(context_) {
    const auto port = *host.listen_addresses().front().value_of("tcp");
    socket_.connect(
        tcp::endpoint(asio::ip::address_v4::loopback(), static_cast<uint16_t>(std::stoi(port))));
  }
  void send(const Bytes& data) {
    boost::system::error_code ec;
    asio::write(socket_, asio::buffer(data), ec);
  }
  // Whether the host has hung up.
  bool closed() {
    boost::system::error_code ec;
    char byte = 0;
    socket_.non_blocking(true);
    const size_t n = socket_.read_some(asio::buffer(&byte, 1), ec);
    return n == 0 && ec && ec != asio::error::would_block;
  }

 private:
  asio::io_context context_;
  tcp::socket socket_;
};

// A peer inside the secret that speaks yamux as it likes.
struct Insider {
  std::shared_ptr<yamux::Session> session;
  ChannelPtr channel;
};

Task<Result<Upgraded>> break_in(const Host* host) {
  const Multiaddr address = host->listen_addresses().front();
  auto endpoints = co_await tcp_resolve(address, 5s, {});
  const SteadyTime deadline = std::chrono::steady_clock::now() + 10s;
  auto channel =
      co_await tcp_connect(endpoints->front(), deadline, std::make_shared<ByteCounters>(), {});
  if (!channel) {
    co_return fail(std::move(channel).error());
  }
  UpgradeOptions options(PrivateKey::from_seed(Bytes(32, 'H')));
  options.secrets.push_back(Bytes(32, 's'));
  const ChannelPtr raw = *channel;
  auto upgraded = co_await upgrade(raw, std::move(options), deadline, {});
  co_return upgraded;
}

// Sends `bytes` after the handshake and reads until the host hangs up; how much it said.
Task<Result<size_t>> attack(const Host* host, Bytes bytes) {
  auto upgraded = co_await break_in(host);
  if (!upgraded) {
    co_return fail(std::move(upgraded).error());
  }
  auto written = co_await upgraded->channel->write(std::move(bytes));
  static_cast<void>(written);
  size_t heard = 0;
  for (;;) {
    auto piece = co_await upgraded->channel->read_some(1 << 16);
    if (!piece || piece->empty()) {
      co_return heard;
    }
    heard += piece->size();
  }
}

Bytes frame(yamux::Header h, const Bytes& payload = {}) {
  const auto head = yamux::encode(h);
  return Bytes(head.data(), head.size()) + payload;
}

}  // namespace

TEST_CASE("nonsense from outside is dropped at once and counted") {
  HostWorld world;
  Host& host = world.add(1);
  const std::vector<Bytes> nonsense = {Bytes(44, '\0'), random_bytes(1000),
                                       "GET / HTTP/1.1\r\nHost: x\r\nAccept: everything\r\n\r\n",
                                       Bytes(1 << 20, '\xff')};
  for (const Bytes& bytes : nonsense) {
    RawClient client(host);
    client.send(bytes);
    world.until("hung up", [&] { return client.closed(); });
  }
  world.until("counted", [&] {
    return host.stats().failures(true, ConnectFailure::WrongSecret) == nonsense.size();
  });
  CHECK(host.stats().connections == 0);
}

TEST_CASE("connections that say nothing make room for those that do") {
  HostWorld world;
  auto options = HostWorld::options(1);
  options.max_pending_accepts = 8;
  options.accept_timeout = 60s;
  Host& host = world.add(std::move(options));
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 40; ++i) {
    silent.push_back(std::make_unique<RawClient>(host));
  }
  Host& good = world.add(2);
  world.introduce(good, host);
  CHECK(world.sync(good.connect(host.self(), 5s, {})).has_value());
  world.until("the oldest were cut", [&] { return silent.front()->closed(); });
}

TEST_CASE("a silent connection ends at its deadline") {
  HostWorld world;
  auto options = HostWorld::options(1);
  options.accept_timeout = 100ms;
  Host& host = world.add(std::move(options));
  RawClient client(host);
  client.send(Bytes(10, 'x'));
  world.until("cut", [&] { return client.closed(); });
  world.until("counted", [&] { return host.stats().failures(true, ConnectFailure::Timeout) == 1; });
}

TEST_CASE("violations inside of the secret end that connection only") {
  HostWorld world;
  Host& host = world.add(1);
  host.handle("/echo", echo);
  Host& good = world.add(2);
  world.introduce(good, host);
  REQUIRE(world.sync(good.connect(host.self(), 5s, {})).has_value());
  using yamux::Type;
  const std::vector<Bytes> attacks = {
      Bytes(4096, 'r'),
      Bytes(12, '\xff'),
      frame({Type::WindowUpdate, yamux::kSyn, 2, 0}),
      frame({Type::Data, yamux::kSyn, 1, 0x7fffffff}),
      frame({Type::WindowUpdate, yamux::kSyn, 1, 0xffffffff}),
      frame({Type::GoAway, 0, 0, 1}),
  };
  for (const Bytes& bytes : attacks) {
    const auto heard = world.sync(attack(&host, bytes));
    CHECK(heard.has_value());
  }
  world.until("gone", [&] { return host.stats().connections == 1; });
  CHECK(host.stats().violations == attacks.size() - 1);  // a go-away is none
  const auto answer = world.sync(ask(&good, host.self(), "/echo", "still here"));
  REQUIRE(answer.has_value());
  CHECK(*answer == "still here");
}

namespace {

// Opens streams as fast as it can without ever saying what for.
Task<int> open_many(const Host* host, int count) {
  auto upgraded = co_await break_in(host);
  if (!upgraded) {
    co_return -1;
  }
  int sent = 0;
  for (int i = 0; i < count; i += 1000) {
    Bytes many;
    for (int k = 0; k < 1000; ++k) {
      many += frame(
          {yamux::Type::WindowUpdate, yamux::kSyn, static_cast<uint32_t>(2 * (i + k) + 1), 0});
    }
    auto written = co_await upgraded->channel->write(std::move(many));
    if (!written) {
      break;
    }
    sent += 1000;
    // Reads the answers now and then, so that it is not cut for not reading.
    auto piece = co_await upgraded->channel->read_some(1 << 20);
    if (!piece || piece->empty()) {
      break;
    }
  }
  upgraded->channel->close();
  co_return sent;
}

}  // namespace

TEST_CASE("a hundred thousand streams of one peer hold no more than its limit") {
  HostWorld world;
  auto options = HostWorld::options(1);
  options.yamux.max_inbound_streams = 100;
  Host& host = world.add(std::move(options));
  host.handle("/echo", echo);
  Host& good = world.add(2);
  world.introduce(good, host);
  std::atomic<int> sent{0};
  std::atomic<bool> ended{false};
  asio::co_spawn(asio::make_strand(world.executor()), open_many(&host, 100'000),
                 [&](std::exception_ptr, int n) {
                   sent = n;
                   ended = true;
                 });
  int64_t most = 0;
  while (!ended) {
    most = std::max(most, host.stats().open_inbound_streams.load());
    const auto answer = world.sync(ask(&good, host.self(), "/echo", "x"));
    CHECK(answer.has_value());
  }
  CHECK(sent > 0);
  CHECK(most <= 110);
  world.until("all gone", [&] { return host.stats().open_inbound_streams == 0; });
}

namespace {

// A stream whose negotiation never ends.
Task<Result<Bytes>> endless_negotiation(const Host* host, Bytes first) {
  auto upgraded = co_await break_in(host);
  if (!upgraded) {
    co_return fail(std::move(upgraded).error());
  }
  const Executor strand = co_await asio::this_coro::executor;
  auto session = std::make_shared<yamux::Session>(upgraded->channel, true, strand);
  session->start([](yamux::YamuxStreamPtr) {}, [](const Error&) {});
  auto stream = session->open();
  if (!stream) {
    co_return fail(std::move(stream).error());
  }
  (*stream)->set_deadline(std::chrono::steady_clock::now() + 10s);
  auto written = co_await (*stream)->write(std::move(first));
  static_cast<void>(written);
  Bytes heard;
  for (;;) {
    auto piece = co_await (*stream)->read_some(1 << 16);
    if (!piece || piece->empty()) {
      session->close();
      if (!piece && piece.error().code() == Code::Timeout) {
        co_return fail(std::move(piece).error());
      }
      co_return heard;
    }
    heard += *piece;
  }
}

}  // namespace

TEST_CASE("negotiation of a stream is bounded in length, number and time") {
  HostWorld world;
  auto options = HostWorld::options(1);
  options.negotiate_timeout = 200ms;
  Host& host = world.add(std::move(options));
  Bytes proposals = multistream_message(kMultistreamHeader);
  for (int i = 0; i < 1000; ++i) {
    proposals += multistream_message("/nothing/" + std::to_string(i));
  }
  const std::vector<Bytes> firsts = {
      "",                                            // says nothing
      multistream_message(kMultistreamHeader),       // stops after the header
      Bytes("\xff\xff\x7f", 3) + Bytes(1000, 'x'),   // a message without end
      proposals,                                     // proposes for ever
      multistream_message("/something-else/1.0.0"),  // not multistream
      Bytes(100'000, '\n'),
  };
  for (const Bytes& first : firsts) {
    const auto heard = world.sync(endless_negotiation(&host, first));
    REQUIRE_MESSAGE(heard.has_value(), (heard ? "" : heard.error().message()));
    CHECK(heard->size() < 4096);
  }
  CHECK(host.stats().streams_refused >= firsts.size());
}

TEST_CASE("one peer that does not read does not slow the others") {
  HostWorld world;
  Host& host = world.add(1);
  host.handle("/echo", echo);
  Host& good = world.add(2);
  Host& lazy = world.add(3);
  world.introduce(good, host);
  world.introduce(lazy, host);
  // Fills the window of its stream and then never reads.
  auto stream = world.sync(lazy.open_stream(host.self(), {"/echo"}, 5s, {}));
  REQUIRE(stream.has_value());
  (*stream)->set_deadline(std::chrono::steady_clock::now() + 300ms);
  const auto written = world.sync((*stream)->write(Bytes(4 << 20, 'x')));
  CHECK(!written.has_value());
  for (int i = 0; i < 20; ++i) {
    const auto answer = world.sync(ask(&good, host.self(), "/echo", Bytes(100'000, 'y')));
    CHECK(answer.has_value());
  }
}
