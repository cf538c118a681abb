#include "agent/rpc/briefs.h"
#include "agent/rpc/frames.h"
#include "agent/rpc/types.h"
#include "common/base/offload.h"
#include "tests/unit/rpc/peers.h"

namespace ica::rpc {
namespace {

constexpr auto kLimit = std::chrono::seconds(5);

template <typename T>
Task<Result<std::vector<T>>> collect(std::shared_ptr<cluster::Stream<T>> stream) {
  std::vector<T> out;
  while (true) {
    auto batch = co_await stream->next();
    if (!batch) {
      co_return fail(std::move(batch.error()));
    }
    if (batch->empty()) {
      co_return out;
    }
    std::move(batch->begin(), batch->end(), std::back_inserter(out));
  }
}

template <typename T>
Result<std::vector<T>> all(Pair& pair, cluster::StreamPtr<T> stream) {
  return pair.await(collect<T>(std::shared_ptr<cluster::Stream<T>>(std::move(stream))));
}

// Both forms of an answer about many pins.
Result<std::vector<api::PinInfo>> all(Pair& pair, cluster::PinInfos infos) {
  if (!infos.briefs) {
    return all(pair, std::move(infos.items));
  }
  std::vector<api::PinInfo> out;
  TRY(const auto batches, all(pair, std::move(infos.briefs)));
  for (const cluster::BriefBatch& batch : batches) {
    for (const cluster::BriefStatus& item : batch.items) {
      TRY(auto info, cluster::full_info(batch, item));
      out.push_back(std::move(info));
    }
  }
  return out;
}

TEST_CASE("questions to one peer and its answers") {
  Pair pair;
  pair.b.pin(1);
  pair.b.tracker.local[cid_number(1)].status = api::TrackerStatus::PinError;
  pair.b.tracker.local[cid_number(1)].error = "no luck";
  pair.b.tracker.local[cid_number(1)].attempt_count = 3;

  const auto id = pair.await(pair.a.remote.id(pair.b.id, kLimit, {})).value();
  CHECK(id.id == pair.b.id);
  CHECK(id.peername == "peer1");
  CHECK(id.version == api::kReferenceVersion);
  CHECK(id.cluster_peers.items.size() == 2);

  const auto peers = pair.await(pair.a.remote.peers(pair.b.id, kLimit, {})).value();
  REQUIRE(peers.size() == 2);

  CHECK(pair.await(pair.a.remote.swarm_peers(pair.b.id, kLimit, {})).value() ==
        std::vector<PeerId>{peer_id(2)});

  auto info = pair.await(pair.a.remote.status(pair.b.id, cid_number(1), kLimit, {})).value();
  CHECK(info.info.status == api::TrackerStatus::PinError);
  CHECK(info.info.error == "no luck");
  CHECK(info.info.attempt_count == 3);
  CHECK(info.name == "pin 1");
  info = pair.await(pair.a.remote.recover(pair.b.id, cid_number(1), kLimit, {})).value();
  CHECK(info.info.status == api::TrackerStatus::PinQueued);

  const auto gc = pair.await(pair.a.remote.repo_gc(pair.b.id, {})).value();
  CHECK(gc.peer == pair.b.id);
  CHECK(gc.peername == "peer1");
  CHECK(gc.keys.size() == 2);

  // Joining asks the newcomer, which need not know us yet.
  Peer third(pair.wire, 2);
  third.server.start();
  pair.wire.connect(pair.a.host, third.host);
  const auto joined = pair.await(pair.a.cluster.peer_add(third.id, {})).value();
  CHECK(joined.id == third.id);
  CHECK(joined.cluster_peers.items == std::vector<PeerId>{third.id, pair.a.id});
}

TEST_CASE("statuses of everything come sorted from peers like us") {
  Pair pair;
  for (int n = 1; n <= 1000; ++n) {
    pair.a.pin(n);
    pair.b.pin(n);
  }
  for (int n = 1; n <= 3; ++n) {
    pair.b.tracker.local[cid_number(n)].status = api::TrackerStatus::PinError;
  }
  pair.b.tracker.local[cid_number(1)].error = "no luck";
  pair.b.tracker.local[cid_number(1)].attempt_count = 3;
  pair.b.tracker.local[cid_number(1)].priority = true;
  auto infos = pair.await(pair.a.remote.status_all(pair.b.id, 0, {})).value();
  CHECK(infos.sorted);
  const auto items = all(pair, std::move(infos)).value();
  REQUIRE(items.size() == 1000);
  for (const api::PinInfo& info : items) {
    // Nothing is lost beside the whole form, in which one CID's answer comes.
    auto whole = pair.await(pair.a.remote.status(pair.b.id, info.cid, kLimit, {})).value();
    whole.peer = info.peer;
    REQUIRE(api::to_json(api::to_global(info)) == api::to_json(api::to_global(whole)));
  }
  CHECK(std::is_sorted(items.begin(), items.end(),
                       [](const auto& a, const auto& b) { return a.cid < b.cid; }));
  CHECK(pair.wire.opened[std::string(kOwnProtocol)] == 1);

  const auto filter = static_cast<uint32_t>(api::TrackerStatus::PinError);
  infos = pair.await(pair.a.remote.status_all(pair.b.id, filter, {})).value();
  CHECK(all(pair, std::move(infos)).value().size() == 3);

  // The whole way: the use case of one peer merges the other's answers.
  const auto merged = all(pair, pair.a.cluster.status_all(0, {})).value();
  REQUIRE(merged.size() == 1000);
  for (const auto& one : merged) {
    REQUIRE(one.peer_map.size() == 2);
    CHECK(one.peer_map.at(pair.b.id.text()).peername == "peer1");
  }

  infos = pair.await(pair.a.remote.recover_all(pair.b.id, {})).value();
  CHECK(!infos.sorted);
  CHECK(all(pair, std::move(infos.items)).value().size() == 3);
  CHECK(pair.quiet(pair.b));
}

TEST_CASE("a stream that nobody reads to its end is given up") {
  Pair pair;
  for (int n = 1; n <= 20000; ++n) {
    pair.b.pin(n);
  }
  {
    auto infos = pair.await(pair.a.remote.status_all(pair.b.id, 0, {})).value();
    auto some = pair.await(infos.briefs->next());
    CHECK(!some->empty());
    // It holds what the network holds, not all.
    CHECK(pair.b.server.stats().running == 1);
  }
  CHECK(pair.quiet(pair.b));
  StopSource source;
  auto infos = pair.await(pair.a.remote.status_all(pair.b.id, 0, source.get_token())).value();
  CHECK(pair.await(infos.briefs->next()).has_value());
  source.request_stop();
  pair.until([&] { return pair.b.server.stats().running == 0; });
  const auto rest = all(pair, std::move(infos));
  REQUIRE(!rest.has_value());
  CHECK(rest.error().code() == Code::Cancelled);
}

// Answers calls with these bytes, whatever was asked.
struct Canned {
  Canned(Pair& pair, Bytes bytes, bool closes = true, std::string_view protocol = api::kRpcProtocol)
      : host(pair.wire, peer_id(2)), shared(std::make_shared<Shared>(Shared{bytes, closes})) {
    pair.wire.connect(pair.a.host, host);
    host.handle(std::string(protocol),
                [shared = shared](p2p::StreamPtr stream) { return run(shared, stream); });
  }
  struct Shared {
    Bytes bytes;
    bool closes;
  };
  static Task<void> run(std::shared_ptr<Shared> shared, p2p::StreamPtr stream) {
    (void)co_await stream->read_some(65536);
    Bytes bytes = shared->bytes;
    (void)co_await stream->write(std::move(bytes));
    if (shared->closes) {
      (void)co_await stream->close_write();
    }
    (void)co_await read_all(stream);
  }
  p2p::FakeHost host;
  std::shared_ptr<Shared> shared;
};

Bytes answer_of(int n, const PeerId& peer) {
  api::PinInfo info;
  info.cid = cid_number(n);
  info.peer = peer;
  info.info.status = api::TrackerStatus::Pinned;
  Bytes out = encode(ResponseHeader{{"PinTracker", "StatusAll"}, {}, ErrorType::Method});
  write(out, info);
  return out;
}

Bytes error_answer(std::string text, ErrorType type) {
  return encode(ResponseHeader{{"PinTracker", "StatusAll"}, std::move(text), type}) + "\xc0";
}

TEST_CASE("Go peers give no order, and may fail in the middle") {
  Pair pair;
  Canned go(pair, answer_of(5, peer_id(2)) + answer_of(3, peer_id(2)) +
                      error_answer("disk on fire", ErrorType::Method));
  auto infos = pair.await(pair.a.remote.status_all(peer_id(2), 0, {})).value();
  CHECK(!infos.sorted);
  auto first = pair.await(infos.items->next());
  REQUIRE(first.has_value());
  CHECK(first->size() == 2);
  for (int i = 0; i < 2; ++i) {
    auto then = pair.await(infos.items->next());
    REQUIRE(!then.has_value());
    CHECK(then.error().message() == "disk on fire");
  }
}

TEST_CASE("answers in brief that are no good") {
  Pair pair;
  const Bytes header = encode(ResponseHeader{});
  const Bytes about = header + encode(api::PinInfoShort());
  Briefs briefs;
  for (const int n : {1, 2}) {
    tracker::TrackedPin tracked;
    tracked.pin.cid = cid_number(n);
    add(briefs, std::move(tracked));
  }
  const Bytes good = header + encode(briefs);
  Canned peer(pair, about + good, true, kOwnProtocol);
  const auto ask = [&](Bytes bytes) {
    peer.shared->bytes = std::move(bytes);
    auto infos = pair.await(pair.a.remote.status_all(peer_id(2), 0, {})).value();
    REQUIRE(infos.briefs != nullptr);
    return all(pair, std::move(infos));
  };
  CHECK(ask(about + good).value().size() == 2);
  CHECK(ask(about + good + good).value().size() == 4);
  CHECK(ask(about).value().empty());
  CHECK(ask("").error().message() == "unexpected EOF");
  CHECK(ask(about + header).error().message() == "unexpected EOF");
  CHECK(ask(about + good.substr(0, good.size() - 1)).error().message() == "unexpected EOF");
  CHECK(ask(header + "\x05").error().code() == Code::InvalidArgument);  // no peer
  CHECK(ask(about + header + "\xc0").error().code() == Code::InvalidArgument);
  CHECK(ask(about + header + "\x93\x01\x02\x03").error().code() == Code::InvalidArgument);
  CHECK(ask(about + header + encode(Briefs{briefs.data.substr(1)})).error().code() ==
        Code::InvalidArgument);
  CHECK(ask(about + header + encode(Briefs{briefs.data + '\x01'})).error().code() ==
        Code::InvalidArgument);
  CHECK(ask(about + good + error_answer("disk on fire", ErrorType::Method)).error().message() ==
        "disk on fire");
  CHECK(ask(error_answer("no", ErrorType::Authorization)).error().code() == Code::PermissionDenied);
}

TEST_CASE("errors of a call") {
  ClientOptions options;
  options.max_answer = 1000;
  Pair pair({}, options);
  auto status = [&pair](Duration limit = kLimit, StopToken stop = {}) {
    auto outcome = pair.await(pair.a.remote.status(peer_id(2), cid_number(1), limit, stop));
    REQUIRE(!outcome.has_value());
    return outcome.error();
  };
  CHECK(status().code() == Code::Unavailable);  // nobody there
  {
    p2p::FakeHost other_version(pair.wire, peer_id(2));
    pair.wire.connect(pair.a.host, other_version);
    CHECK(status().code() == Code::PermissionDenied);
  }
  Canned peer(pair, error_answer("client does not have permissions to call PinTracker.Status",
                                 ErrorType::Authorization));
  CHECK(status().code() == Code::PermissionDenied);
  peer.shared->bytes = error_answer("any words", ErrorType::Method);
  CHECK(status().message() == "any words");
  peer.shared->bytes = "";
  CHECK(status().message() == "EOF");
  peer.shared->bytes = answer_of(1, peer_id(2)).substr(0, 60);
  CHECK(status().message() == "unexpected EOF");
  peer.shared->bytes = "\xc1";
  CHECK(status().code() == Code::InvalidArgument);
  peer.shared->bytes = Bytes("\xdf\x7f\xff\xff\xff", 5);
  CHECK(status().code() == Code::TooLarge);
  peer.shared->bytes = Bytes(100000, '\x91');
  CHECK(status().code() == Code::TooLarge);
  // Says nothing.
  peer.shared->bytes = "";
  peer.shared->closes = false;
  const Error late = status(std::chrono::milliseconds(50));
  CHECK(late.code() == Code::Timeout);
  CHECK(late.message() == "context deadline exceeded");
  StopSource source;
  source.request_stop();
  CHECK(status(kLimit, source.get_token()).code() == Code::Cancelled);
}

TEST_CASE("calls beyond the bound wait for their turn") {
  ClientOptions options;
  options.max_calls = 2;
  Pair pair({}, options);
  std::vector<Task<Result<api::Id>>> tasks;
  for (int i = 0; i < 20; ++i) {
    tasks.push_back(pair.a.remote.id(pair.b.id, kLimit, {}));
  }
  const auto answers = pair.await(gather(std::move(tasks)));
  CHECK(answers.size() == 20);
  for (const auto& answer : answers) {
    CHECK(answer.has_value());
  }
  // One that waits can be stopped.
  pair.b.kubo.hangs = true;
  StopSource hung;
  int ended = 0;
  for (int i = 0; i < 2; ++i) {
    asio::co_spawn(pair.context, pair.a.remote.repo_gc(pair.b.id, hung.get_token()),
                   [&ended](std::exception_ptr, Result<api::RepoGc> gc) {
                     CHECK(gc.error().code() == Code::Cancelled);
                     ++ended;
                   });
  }
  REQUIRE(pair.until([&] { return pair.b.server.stats().running == 2; }));
  StopSource source;
  std::optional<Error> waited;
  asio::co_spawn(pair.context, pair.a.remote.id(pair.b.id, kLimit, source.get_token()),
                 [&waited](std::exception_ptr, Result<api::Id> id) { waited = id.error(); });
  pair.context.restart();
  pair.context.poll();
  CHECK(!waited);
  source.request_stop();
  CHECK(pair.until([&] { return waited.has_value(); }));
  CHECK(waited->code() == Code::Cancelled);
  hung.request_stop();
  CHECK(pair.until([&] { return ended == 2; }));
  CHECK(pair.await(pair.a.remote.id(pair.b.id, kLimit, {})).has_value());
}

}  // namespace
}  // namespace ica::rpc
