#include "agent/p2p/multistream.h"

#include "common/codec/varint.h"
#include "tests/unit/p2p/memory_channel.h"
#include "tests/unit/p2p/run.h"
#include "tests/unit/vectors.h"

using namespace ica;
using namespace ica::p2p;

namespace {

struct Negotiation {
  Result<std::string> dialler = std::string();
  Result<std::string> listener = std::string();
};

Task<void> dial(BufferedChannel* channel, std::vector<std::string> protocols, Negotiation* n) {
  n->dialler = co_await negotiate_outbound(*channel, std::move(protocols));
  if (!n->dialler) {
    channel->close();
  }
}

bool only_yamux(std::string_view protocol) {
  return protocol == "/yamux/1.0.0";
}

Task<void> negotiate(Executor e, std::vector<std::string> protocols, Negotiation* n) {
  auto [a, b] = MemoryChannel::pair(e);
  BufferedChannel near(a);
  BufferedChannel far(b);
  spawn(e, dial(&near, std::move(protocols), n), "dialler");
  std::function<bool(std::string_view)> accept = only_yamux;
  n->listener = co_await negotiate_inbound(far, accept);
  a->close();
  b->close();
  // The dialler ends by itself: its channel is answered or closed.
  while (n->dialler.has_value() && n->dialler->empty()) {
    co_await asio::post(e, asio::use_awaitable);
  }
}

Task<void> inbound_of(Executor e, Bytes bytes, Result<std::string>* out) {
  auto [a, b] = MemoryChannel::pair(e);
  BufferedChannel far(b);
  auto written = co_await a->write(std::move(bytes));
  CHECK(written.has_value());
  a->close();
  std::function<bool(std::string_view)> accept = only_yamux;
  *out = co_await negotiate_inbound(far, accept);
}

}  // namespace

TEST_CASE("both sides agree on the first protocol that the listener has") {
  asio::io_context context;
  Negotiation n;
  run_on(context, negotiate, context.get_executor(),
         std::vector<std::string>{"/tls/1.0.0", "/yamux/1.0.0"}, &n);
  REQUIRE(n.dialler.has_value());
  CHECK(*n.dialler == "/yamux/1.0.0");
  REQUIRE(n.listener.has_value());
  CHECK(*n.listener == "/yamux/1.0.0");
}

TEST_CASE("nothing in common is Unsupported") {
  asio::io_context context;
  Negotiation n;
  run_on(context, negotiate, context.get_executor(), std::vector<std::string>{"/mplex/6.7.0"}, &n);
  REQUIRE(!n.dialler.has_value());
  CHECK(n.dialler.error().code() == Code::Unsupported);
  CHECK(!n.listener.has_value());
}

TEST_CASE("the messages of the recorded sessions are written as there") {
  const auto vectors = test::load_vectors("multistream.json");
  int messages = 0;
  for (const auto& c : vectors["cases"]) {
    for (const auto& w : c["writes"]) {
      const Bytes bytes = test::hex_field(w, "hex");
      BytesView in = bytes;
      while (!in.empty()) {
        const BytesView before = in;
        const uint64_t length = *read_varint(in);
        const std::string_view text = in.substr(0, length - 1);  // without its newline
        in.remove_prefix(length);
        CHECK(multistream_message(text) == before.substr(0, before.size() - in.size()));
        ++messages;
      }
    }
  }
  CHECK(messages > 0);
}

TEST_CASE("oversized, empty and unending messages are refused") {
  const std::vector<Bytes> bad = {
      Bytes("\xff\xff\xff\xff\x7f", 5),
      Bytes("\x00", 1),
      multistream_message("/something/else"),
      multistream_message(kMultistreamHeader).substr(0, 10),
      Bytes("\x03"
            "abc",
            4),
  };
  for (const Bytes& bytes : bad) {
    asio::io_context context;
    Result<std::string> out = std::string();
    run_on(context, inbound_of, context.get_executor(), bytes, &out);
    CHECK(!out.has_value());
  }
  // Endless proposals end as well.
  Bytes many = multistream_message(kMultistreamHeader);
  for (int i = 0; i < 1000; ++i) {
    many += multistream_message("/no");
  }
  asio::io_context context;
  Result<std::string> out = std::string();
  run_on(context, inbound_of, context.get_executor(), many, &out);
  CHECK(!out.has_value());
}
