#include "agent/p2p/upgrade.h"

#include "agent/p2p/pnet_channel.h"
#include "agent/p2p/yamux.h"
#include "tests/unit/p2p/memory_channel.h"
#include "tests/unit/p2p/run.h"
#include "tests/unit/vectors.h"

using namespace ica;
using namespace ica::p2p;
using namespace std::chrono_literals;

namespace {

// Lets `budget` bytes of what is written through, then cuts both directions.
class CutChannel final : public Channel {
 public:
  CutChannel(ChannelPtr inner, size_t budget) : inner_(std::move(inner)), budget_(budget) {}
  Task<Result<Bytes>> read_some(size_t limit) override {
    co_return co_await inner_->read_some(limit);
  }
  Task<Status> write(Bytes data) override {
    written_ += data.size();
    if (data.size() > budget_) {
      data.resize(budget_);
      budget_ = 0;
      auto part = co_await inner_->write(std::move(data));
      static_cast<void>(part);
      inner_->close();
      co_return fail(Code::Closed, "cut");
    }
    budget_ -= data.size();
    co_return co_await inner_->write(std::move(data));
  }
  void close() override { inner_->close(); }
  size_t written() const { return written_; }

 private:
  ChannelPtr inner_;
  size_t budget_;
  size_t written_ = 0;
};

UpgradeOptions options(char seed, bool dialler) {
  UpgradeOptions o(PrivateKey::from_seed(Bytes(32, seed)));
  o.secrets.push_back(Bytes(32, 's'));
  o.dialler = dialler;
  return o;
}

struct Both {
  std::optional<Result<Upgraded>> dialler;
  std::optional<Result<Upgraded>> listener;
};

Task<void> one_end(ChannelPtr channel, UpgradeOptions o, SteadyTime deadline,
                   std::optional<Result<Upgraded>>* out) {
  auto done = co_await upgrade(std::move(channel), std::move(o), deadline, {});
  out->emplace(std::move(done));
}

Both shake_hands(ChannelPtr a, ChannelPtr b, UpgradeOptions dialler, UpgradeOptions listener,
                 asio::io_context& context, Duration limit = 10s) {
  Both both;
  const SteadyTime deadline =
      std::chrono::steady_clock::now() + std::chrono::duration_cast<SteadyTime::duration>(limit);
  const Executor executor = context.get_executor();
  spawn(executor, one_end(std::move(a), std::move(dialler), deadline, &both.dialler), "dialler");
  spawn(executor, one_end(std::move(b), std::move(listener), deadline, &both.listener), "listener");
  const auto give_up = std::chrono::steady_clock::now() + 30s;
  while ((!both.dialler || !both.listener) && std::chrono::steady_clock::now() < give_up) {
    context.restart();
    context.run_one_for(1s);
  }
  REQUIRE(both.dialler.has_value());
  REQUIRE(both.listener.has_value());
  return both;
}

}  // namespace

TEST_CASE("upgrade agrees in every combination of early muxers and secrets") {
  for (const bool early_dialler : {true, false}) {
    for (const bool early_listener : {true, false}) {
      for (const bool secret : {true, false}) {
        asio::io_context context;
        auto [a, b] = MemoryChannel::pair(context.get_executor());
        auto dialler = options('a', true);
        auto listener = options('b', false);
        dialler.early_muxer = early_dialler;
        listener.early_muxer = early_listener;
        if (!secret) {
          dialler.secrets.clear();
          listener.secrets.clear();
        }
        const PeerId expected = listener.identity.peer_id();
        dialler.expected = expected;
        auto both = shake_hands(a, b, dialler, listener, context);
        REQUIRE(both.dialler->has_value());
        REQUIRE(both.listener->has_value());
        CHECK((*both.dialler)->peer == expected);
        CHECK((*both.listener)->peer == dialler.identity.peer_id());
        a->close();
        b->close();
      }
    }
  }
}

TEST_CASE("a connection that is cut at any byte of the handshake fails cleanly on both sides") {
  for (const bool cut_dialler : {true, false}) {
    size_t total = 1;
    for (size_t budget = 0; budget < total; ++budget) {
      CAPTURE(cut_dialler);
      CAPTURE(budget);
      asio::io_context context;
      auto [a, b] = MemoryChannel::pair(context.get_executor());
      auto cut = std::make_shared<CutChannel>(cut_dialler ? a : b, budget);
      const ChannelPtr near = cut_dialler ? ChannelPtr(cut) : ChannelPtr(a);
      const ChannelPtr far = cut_dialler ? ChannelPtr(b) : ChannelPtr(cut);
      auto both = shake_hands(near, far, options('a', true), options('b', false), context);
      // Whoever wrote the last message may think that all is well; the other side may not.
      const bool all_well = both.dialler->has_value() && both.listener->has_value();
      if (budget == 0) {
        // Without any cut, to know the length.
        asio::io_context other;
        auto [c, d] = MemoryChannel::pair(other.get_executor());
        auto whole = std::make_shared<CutChannel>(cut_dialler ? c : d, 1 << 20);
        auto good = shake_hands(cut_dialler ? ChannelPtr(whole) : ChannelPtr(c),
                                cut_dialler ? ChannelPtr(d) : ChannelPtr(whole), options('a', true),
                                options('b', false), other);
        REQUIRE(good.dialler->has_value());
        total = whole->written();
        REQUIRE(total > 200);
        c->close();
        d->close();
      }
      CHECK(!all_well);
      for (const auto& side : {*both.dialler, *both.listener}) {
        if (!side) {
          const Code code = side.error().code();
          CHECK((code == Code::Closed || code == Code::PermissionDenied));
        }
      }
      a->close();
      b->close();
    }
  }
}

TEST_CASE("a half-open connection costs its deadline and no more") {
  for (const bool dialler : {true, false}) {
    asio::io_context context;
    auto [a, b] = MemoryChannel::pair(context.get_executor());
    std::optional<Result<Upgraded>> out;
    const auto start = std::chrono::steady_clock::now();
    spawn(context.get_executor(), one_end(a, options('a', dialler), start + 50ms, &out), "half");
    while (!out) {
      context.restart();
      context.run_one_for(1s);
    }
    REQUIRE(!out->has_value());
    // A dialler that hears nothing cannot tell silence from another secret.
    CHECK(out->error().code() == (dialler ? Code::PermissionDenied : Code::Timeout));
    CHECK(std::chrono::steady_clock::now() - start < 5s);
    b->close();
  }
}

TEST_CASE("the private network's bytes are those of the reference") {
  const auto vectors = test::load_vectors("pnet-xsalsa20.json");
  for (const auto& v : vectors["cases"]) {
    asio::io_context context;
    auto [a, b] = MemoryChannel::pair(context.get_executor());
    auto channel = std::make_shared<PnetChannel>(
        b, std::vector<Bytes>{test::hex_field(v, "psk_hex")}, PnetChannel::Role::Listener);
    const Bytes wire = test::hex_field(v, "wire_hex");
    const Bytes plain =
        test::hex_field(v, "write1_plain_hex") + test::hex_field(v, "write2_plain_hex");
    Bytes got;
    bool refused = false;
    const auto scenario = [](std::shared_ptr<MemoryChannel> remote, std::shared_ptr<PnetChannel> c,
                             Bytes bytes, size_t count, Bytes* out, bool* no) -> Task<void> {
      auto written = co_await remote->write(bytes);
      CHECK(written.has_value());
      while (out->size() < count) {
        auto piece = co_await c->read_some(7);
        if (!piece || piece->empty()) {
          *no = !piece && piece.error().code() == Code::PermissionDenied;
          break;
        }
        *out += *piece;
      }
    };
    run_on(context, scenario, a, channel, wire, plain.size(), &got, &refused);
    // Text that does not begin with multistream's header stands for another secret.
    if (plain.starts_with(Bytes("\x13/multistream/1.0.0\n", 20))) {
      CHECK(got == plain);
    } else {
      CHECK(refused);
    }
    a->close();
  }
}

TEST_CASE("a real yamux session of the Go implementation replays") {
  const auto vectors = test::load_vectors("yamux-trace.json");
  asio::io_context context;
  auto [a, b] = MemoryChannel::pair(context.get_executor());
  auto listener = std::make_shared<yamux::Session>(b, false, context.get_executor());
  bool violated = false;
  std::vector<yamux::YamuxStreamPtr> streams;
  listener->start([&](yamux::YamuxStreamPtr s) { streams.push_back(std::move(s)); },
                  [&](const Error& e) { violated = e.message().find("yamux:") == 0; });
  const auto opened = listener->open();
  REQUIRE(opened.has_value());
  Bytes from_client;
  for (const auto& v : vectors["cases"]) {
    if (v["dir"] != "client->server") {
      continue;
    }
    if (v.contains("hex")) {
      from_client += test::hex_field(v, "hex");
    } else {
      // A long run of one letter, shortened in the file.
      const Bytes start = test::from_hex(v["hex_truncated"].get<std::string>().substr(0, 24));
      from_client += start + Bytes(v["length"].get<size_t>() - start.size(), 'x');
    }
  }
  const auto scenario = [](std::shared_ptr<MemoryChannel> remote, Bytes bytes,
                           std::vector<yamux::YamuxStreamPtr>* list) -> Task<void> {
    auto written = co_await remote->write(bytes);
    CHECK(written.has_value());
    while (list->empty()) {
      auto answer = co_await remote->read_some(4096);
      REQUIRE(answer.has_value());
    }
    Bytes text;
    for (;;) {
      auto piece = co_await list->front()->read_some(4096);
      if (!piece || piece->empty()) {
        break;
      }
      text += *piece;
    }
    CHECK(text.starts_with("hello"));
  };
  run_on(context, scenario, a, from_client, &streams);
  CHECK(!violated);
  listener->close();
  a->close();
}
