#include "agent/rpc/call.h"
#include "agent/rpc/methods.h"
#include "common/crypto/hash.h"
#include "tests/unit/rpc/peers.h"
#include "tests/unit/vectors.h"

namespace ica::rpc {
namespace {

Bytes frame(const std::string& name) {
  const nlohmann::json cases = test::load_vectors("gorpc-frames.json")["cases"];
  for (const auto& item : cases) {
    if (std::string(item["name"]).starts_with(name)) {
      return test::hex_field(item, "bytes_hex");
    }
  }
  FAIL("no frame " << name);
  return {};
}

Bytes request(std::string_view service, std::string_view method) {
  return encode(ServiceId{std::string(service), std::string(method)});
}

struct Answer {
  ResponseHeader header;
  Bytes rest;
};
Answer read_answer(const Bytes& bytes) {
  Answer out;
  MsgpackReader in(bytes);
  read(in, out.header);
  CHECK(in.ok());
  out.rest = bytes.substr(bytes.size() - in.left());
  return out;
}

TEST_CASE("answers are Go's, byte for byte") {
  Pair pair;
  auto ask = [&pair](Bytes bytes, Half half) {
    return base16(pair.await(ask_raw(&pair.a.host, pair.b.id, std::move(bytes), half)));
  };
  CHECK(ask(frame("request Cluster.Version"), Half::StaysOpen) ==
        base16(frame("response ok Cluster.Version")));
  CHECK(ask(request("Cluster", "Nope") + "\x80", Half::StaysOpen) ==
        base16(frame("response unknown method")));
  pair.b.config.crdt.trusted_peers.all = false;
  CHECK(ask(frame("request PinTracker.Status"), Half::StaysOpen) ==
        base16(frame("response authorization error")));
  pair.b.config.crdt.trusted_peers.all = true;

  const auto nobody = read_answer(
      pair.await(ask_raw(&pair.a.host, pair.b.id, request("Nobody", "X"), Half::StaysOpen)));
  CHECK(nobody.header.error == "rpc: can't find service Nobody");
  CHECK(nobody.header.type == ErrorType::Server);
  CHECK(pair.quiet(pair.b));
  CHECK(pair.b.server.stats().denied == 1);
  CHECK(pair.b.server.stats().unknown == 2);
}

TEST_CASE("every method is open, trusted or closed as in the reference's table") {
  ServerOptions options;
  Pair pair(options);
  size_t closed = 0;
  for (const Method& method : methods()) {
    const std::string name = fmt::format("{}.{}", method.service, method.name);
    CAPTURE(name);
    CHECK(implemented(method.service, method.name) == (method.policy != Policy::Closed));
    const std::string denial = "client does not have permissions to call " + name;
    for (const bool trusted : {true, false}) {
      pair.b.config.crdt.trusted_peers.all = trusted;
      const bool allowed =
          method.policy == Policy::Open || (method.policy == Policy::Trusted && trusted);
      // An argument that no method takes: what is allowed goes on to read it.
      const Bytes bytes = request(method.service, method.name) + "\xc1";
      const Bytes got = pair.await(ask_raw(&pair.a.host, pair.b.id, bytes, Half::Closes));
      if (allowed) {
        CHECK(got.find("permissions") == std::string::npos);
      } else {
        const Answer answer = read_answer(got);
        CHECK(answer.header.error == denial);
        CHECK(answer.header.type == ErrorType::Authorization);
        CHECK(answer.rest == "\xc0");
      }
    }
    closed += method.policy == Policy::Closed ? 1 : 0;
  }
  CHECK(methods().size() == 55);
  CHECK(closed == 36);
}

TEST_CASE("a stream's first answers come before its end, and its end is a close") {
  Pair pair;
  for (int n = 1; n <= 20; ++n) {
    pair.b.pin(n);
  }
  const Bytes got = pair.await(
      ask_raw(&pair.a.host, pair.b.id, frame("stream request PinTracker.StatusAll"), Half::Closes));
  MsgpackReader in(got);
  int count = 0;
  Cid last;
  while (!in.at_end()) {
    ResponseHeader header;
    read(in, header);
    CHECK(header.error.empty());
    CHECK(header.service.method == "StatusAll");
    api::PinInfo info;
    read(in, info);
    REQUIRE(in.ok());
    CHECK(info.peer == pair.b.id);
    CHECK(info.info.peername == "peer1");
    CHECK(last < info.cid);
    last = info.cid;
    ++count;
  }
  CHECK(count == 20);

  // No argument at all is a filter that lets everything pass; none of two is pinned.
  const Bytes all = pair.await(
      ask_raw(&pair.a.host, pair.b.id, request("PinTracker", "StatusAll"), Half::Closes));
  CHECK(base16(all) == base16(got));
  const Bytes none =
      pair.await(ask_raw(&pair.a.host, pair.b.id,
                         request("PinTracker", "StatusAll") +
                             encode(Filter{static_cast<uint32_t>(api::TrackerStatus::PinError)}),
                         Half::Closes));
  CHECK(none.empty());

  const Bytes own = pair.await(
      ask_raw(&pair.a.host, pair.b.id, frame("stream request Cluster.IDStream"), Half::Closes));
  const Answer answer = read_answer(own);
  CHECK(decode<api::Id>(answer.rest).value().id == pair.b.id);
}

TEST_CASE("a method's own error keeps its words") {
  Pair pair;
  pair.b.kubo.inner.down = true;
  const Answer answer = read_answer(pair.await(
      ask_raw(&pair.a.host, pair.b.id, frame("request Cluster.RepoGCLocal"), Half::StaysOpen)));
  CHECK(answer.header.type == ErrorType::Method);
  CHECK(answer.header.error.starts_with("Post \"http://127.0.0.1:22999/api/v0/repo/gc"));
  CHECK(answer.rest == "\xc0");

  const Answer removed = read_answer(
      pair.await(ask_raw(&pair.a.host, pair.b.id,
                         request("Cluster", "PeerRemove") + encode(pair.a.id), Half::StaysOpen)));
  CHECK(removed.header.error == "crdt consensus component cannot remove peers");
}

TEST_CASE("a caller that goes away ends its call") {
  for (const bool by_close : {true, false}) {
    CAPTURE(by_close);
    Pair pair;
    pair.b.kubo.hangs = true;
    p2p::StreamPtr stream =
        pair.await(open_raw(&pair.a.host, pair.b.id, std::string(api::kRpcProtocol)));
    (void)pair.await(stream->write(frame("request Cluster.RepoGCLocal")));
    REQUIRE(pair.until([&] { return pair.b.kubo.waiting; }));
    CHECK(pair.b.server.stats().running == 1);
    if (by_close) {
      (void)pair.await(stream->close_write());
    } else {
      stream->reset();
    }
    CHECK(pair.until([&] { return !pair.b.kubo.waiting; }));
    CHECK(pair.quiet(pair.b));
  }
}

TEST_CASE("stop() ends what is running and refuses what comes") {
  Pair pair;
  pair.b.kubo.hangs = true;
  const p2p::StreamPtr stream =
      pair.await(open_raw(&pair.a.host, pair.b.id, std::string(api::kRpcProtocol)));
  (void)pair.await(stream->write(frame("request Cluster.RepoGCLocal")));
  REQUIRE(pair.until([&] { return pair.b.kubo.waiting; }));
  bool stopped = false;
  asio::co_spawn(pair.context, pair.b.server.stop(), [&](std::exception_ptr) { stopped = true; });
  CHECK(pair.until([&] { return stopped; }));
  CHECK(!pair.b.kubo.waiting);
  const Answer late = read_answer(pair.await(
      ask_raw(&pair.a.host, pair.b.id, frame("request Cluster.Version"), Half::StaysOpen)));
  CHECK(late.header.error == "too many calls at once, try again later");
}

// --- hostile callers

TEST_CASE("garbage is answered or reset, and harms nobody") {
  ServerOptions options;
  options.request_limit = std::chrono::milliseconds(200);
  Pair pair(options);
  std::vector<Bytes> inputs = {
      Bytes("\xc1"),
      Bytes("\xdf\xff\xff\xff\xff", 5),
      Bytes(1 << 20, '\x81'),
      Bytes(1 << 20, '\xdc'),
      Bytes("\xdb\x7f\xff\xff\xff", 5) + Bytes(100000, 'x'),
      request("Cluster", "ID") + Bytes("\xdb\x00\x10\x00\x00", 5) + Bytes(1 << 20, 'x'),
      request(Bytes(5000, 'S'), "ID"),
      request("PinTracker", "Status") + "\xa3xyz",
      request("Cluster", "PeerAdd") + "\x80",
      request("PinTracker", "StatusAll") + "\xff",
      request("IPFSConnector", "BlockStream") + "\x81\xa1\x63\xa1x",
      request("IPFSConnector", "BlockStream") + encode(NodeWithMeta{"other", cid_number(1), 0}),
      request("IPFSConnector", "BlockStream") + encode(NodeWithMeta{Bytes(5 << 20, 'x'), {}, 0}),
      encode(ServiceId{}),
      Bytes(),
  };
  for (size_t i = 0; i < inputs.size(); ++i) {
    CAPTURE(i);
    const Bytes got = pair.await(ask_raw(&pair.a.host, pair.b.id, inputs[i],
                                         i + 1 == inputs.size() ? Half::Closes : Half::StaysOpen));
    if (got != "reset") {
      CHECK(!read_answer(got).header.error.empty());
    }
    CHECK(pair.quiet(pair.b));
  }
  CHECK(pair.b.kubo.store->blocks.empty());
  auto id = pair.await(pair.a.remote.id(pair.b.id, std::chrono::seconds(5), {}));
  CHECK(id.has_value());
}

TEST_CASE("calls over the limits are refused, and there is room again afterwards") {
  ServerOptions options;
  options.max_calls_per_peer = 4;
  Pair pair(options);
  pair.b.kubo.hangs = true;
  std::vector<p2p::StreamPtr> held;
  for (int i = 0; i < 4; ++i) {
    held.push_back(pair.await(open_raw(&pair.a.host, pair.b.id, std::string(api::kRpcProtocol))));
    (void)pair.await(held.back()->write(frame("request Cluster.RepoGCLocal")));
  }
  REQUIRE(pair.until([&] { return pair.b.server.stats().running == 4; }));
  for (int i = 0; i < 50; ++i) {
    const Answer over = read_answer(pair.await(
        ask_raw(&pair.a.host, pair.b.id, frame("request Cluster.Version"), Half::StaysOpen)));
    CHECK(over.header.error == "too many calls at once, try again later");
  }
  CHECK(pair.b.server.stats().refused == 50);
  // Another peer is not concerned.
  Peer third(pair.wire, 2);
  pair.wire.connect(third.host, pair.b.host);
  CHECK(pair.await(third.remote.id(pair.b.id, std::chrono::seconds(5), {})).has_value());
  for (const auto& stream : held) {
    stream->reset();
  }
  CHECK(pair.quiet(pair.b));
  pair.b.kubo.hangs = false;
  CHECK(pair.await(pair.a.remote.id(pair.b.id, std::chrono::seconds(5), {})).has_value());
}

Task<Status> put_blocks(RemotePeers* peers, PeerId to, std::vector<ipfs::BlockToPut> blocks) {
  auto sink = co_await peers->block_stream(std::move(to), StopToken());
  if (!sink) {
    co_return fail(std::move(sink.error()));
  }
  for (ipfs::BlockToPut& block : blocks) {
    const Status taken = co_await (*sink)->write(std::move(block));
    if (!taken) {
      co_return taken;
    }
  }
  co_return co_await (*sink)->finish();
}

TEST_CASE("blocks are stored in order, no faster than Kubo takes them") {
  Pair pair;
  std::vector<ipfs::BlockToPut> blocks;
  for (int n = 0; n < 40; ++n) {
    Bytes data(64 << 10, static_cast<char>('a' + n % 26));
    data += std::to_string(n);
    blocks.push_back(
        {Cid::make_v1(multicodec::kRaw, make_multihash(multicodec::kSha2_256, data).value()),
         std::move(data)});
  }
  const std::vector<ipfs::BlockToPut> sent = blocks;
  const auto store = pair.b.kubo.store;
  store->closed = true;
  std::optional<Status> outcome;
  asio::co_spawn(pair.context, put_blocks(&pair.a.remote, pair.b.id, std::move(blocks)),
                 [&outcome](std::exception_ptr, Status status) { outcome = std::move(status); });
  REQUIRE(pair.until([&] { return pair.b.server.stats().running == 1; }));
  CHECK(store->order.empty());
  store->closed = false;
  store->opened.notify_all();
  REQUIRE(pair.until([&] { return outcome.has_value(); }));
  CHECK(outcome->has_value());
  REQUIRE(store->order.size() == sent.size());
  for (size_t i = 0; i < sent.size(); ++i) {
    CHECK(store->order[i] == sent[i].cid);
    CHECK(store->blocks[sent[i].cid] == sent[i].data);
  }
  CHECK(store->finished == 1);
  CHECK(pair.quiet(pair.b));

  // What Kubo says reaches the sender, also while it is still sending.
  store->broken = Error(Code::Internal, "IPFS error (block/put). Code: 500. Message: disk full");
  const Status failed = pair.await(put_blocks(&pair.a.remote, pair.b.id, sent));
  REQUIRE(!failed.has_value());
  CHECK(failed.error().message() == "IPFS error (block/put). Code: 500. Message: disk full");
  CHECK(pair.quiet(pair.b));
}

}  // namespace
}  // namespace ica::rpc
