#include "agent/cmd/compaction.h"

#include "agent/p2p/frames.h"
#include "tests/unit/cmd/wired_peer.h"

namespace ica::cmd {
namespace {

using namespace std::chrono_literals;
using crdt::test::test_cid;
using crdt::test::test_pin;

// A peer that can take part in a compaction.
struct Member : test::WiredPeer {
  Member(p2p::FakeWire& wire, const std::filesystem::path& path, int n)
      : test::WiredPeer(wire, path, n),
        executor(wire.executor()),
        pinsets(host, *disk.replica, executor),
        history({.store = *disk.store,
                 .replica = *disk.replica,
                 .pinset = pinset,
                 .driver = driver,
                 .state = executor,
                 .disk = executor,
                 .fresh = path.string() + ".compacting"}),
        compaction({.network = host,
                    .pinsets = pinsets,
                    .history = history,
                    .replica = *disk.replica,
                    .trust = trust,
                    .clock = clock,
                    .known_peers = [this] { return known; },
                    .launch = [this](Task<void> task,
                                     const char* what) { spawn(executor, std::move(task), what); },
                    .stop = stop.get_token(),
                    .left_behind =
                        [this](const crdt::Epoch& theirs, const std::vector<Cid>& changed) {
                          left_behind = theirs;
                          own = changed;
                        },
                    .disk = executor}) {
    driver.on_newer_history(
        [this](const crdt::Epoch& theirs) { compaction.on_newer_history(theirs); });
    pinsets.serve();
    compaction.serve();
  }
  uint64_t epoch() const { return disk.replica->epoch().number; }
  crdt::PinsetInfo info() const { return disk.replica->info(); }

  static Task<void> put_pin_to(Member* self, uint64_t n, int* done) {
    const Status put = co_await self->pinset.put(test_pin(n, "later"));
    CHECK(put.has_value());
    ++*done;
  }
  static Task<void> remove_pin(Member* self, uint64_t n, int* done) {
    const auto removed = co_await self->pinset.remove(test_cid(n));
    CHECK(removed.has_value());
    ++*done;
  }

  const Executor executor;
  StopSource stop;
  std::vector<PeerId> known;
  PinsetProtocol pinsets;
  HistorySwitch history;
  Compaction compaction;
  std::optional<crdt::Epoch> left_behind;
  std::vector<Cid> own;
};

struct Cluster : test::World<Member> {
  explicit Cluster(int count) : World(count) {
    for (auto& peer : peers) {
      peer->trust->set({.all = true, .peers = {}});
      for (auto& other : peers) {
        if (peer != other) {
          peer->known.push_back(other->host.self());
        }
      }
    }
    for (size_t a = 0; a < peers.size(); ++a) {
      for (size_t b = a + 1; b < peers.size(); ++b) {
        wire.connect(peers[a]->host, peers[b]->host);
      }
    }
  }
  // Pins and removals at all peers, until all have the same.
  void churn(uint64_t pins) {
    int done = 0;
    for (uint64_t n = 0; n < pins; ++n) {
      spawn(context.get_executor(), Member::put_pin_to(peers[n % peers.size()].get(), n, &done),
            "pin");
      until([&] { return done == static_cast<int>(n) + 1; });
    }
    CHECK(until([&] { return same() && peers[0]->info().pins == pins; }));
    done = 0;
    for (uint64_t n = 0; n < pins; n += 2) {
      spawn(context.get_executor(), Member::remove_pin(peers[0].get(), n, &done), "unpin");
    }
    CHECK(until([&] { return same() && peers[0]->info().pins == pins / 2; }));
  }
  bool same() {
    return std::all_of(peers.begin(), peers.end(), [&](const auto& peer) {
      return peer->info().work == 0 &&
             peer->disk.replica->heads() == peers[0]->disk.replica->heads();
    });
  }
  Result<cluster::CompactPlan> plan(size_t at, std::vector<PeerId> without = {}) {
    Result<cluster::CompactPlan> out = fail(Code::Internal, "not made");
    bool done = false;
    spawn(context.get_executor(), make_plan(this, at, std::move(without), &out, &done), "plan");
    CHECK(until([&] { return done; }));
    return out;
  }
  static Task<void> make_plan(Cluster* self, size_t at, std::vector<PeerId> without,
                              Result<cluster::CompactPlan>* out, bool* done) {
    *out = co_await self->peers[at]->compaction.plan(std::move(without), StopToken());
    *done = true;
  }
  Status start(size_t at, std::vector<PeerId> without = {}) {
    Status out = fail(Code::Internal, "not started");
    bool done = false;
    spawn(context.get_executor(), begin(this, at, std::move(without), &out, &done), "start");
    CHECK(until([&] { return done; }));
    return out;
  }
  static Task<void> begin(Cluster* self, size_t at, std::vector<PeerId> without, Status* out,
                          bool* done) {
    *out = co_await self->peers[at]->compaction.start(std::move(without));
    *done = true;
  }
  cluster::CompactStatus status(size_t at) { return peers[at]->compaction.status(); }
  bool ended(size_t at) {
    return until([&] { return !status(at).running && !peers[at]->history.claimed(); });
  }
  void put(size_t at, uint64_t n, int* done) {
    spawn(context.get_executor(), Member::put_pin_to(peers[at].get(), n, done), "pin");
  }
};

TEST_CASE("all peers begin the history anew together, and nobody loses a change") {
  Cluster c(3);
  c.churn(60);
  const auto digest = c[0].info().digest;
  REQUIRE(c.plan(1)->possible());
  CHECK(c.plan(1)->epoch == 1);
  CHECK(c.plan(1)->members.size() == 3);
  CHECK(c.plan(1)->pins == 30);
  CHECK(c.plan(1)->changes > 60);
  CHECK(c.plan(1)->changes_after == 1);
  REQUIRE(c.start(1).has_value());
  CHECK(c.start(1).error().code() == Code::Conflict);
  // Changes that come meanwhile wait.
  int done = 0;
  for (uint64_t n = 100; n < 130; ++n) {
    c.put(n % 3, n, &done);
  }
  REQUIRE(c.ended(1));
  CHECK(c.status(1).error.empty());
  CHECK(c.status(1).led);
  CHECK(c.status(1).members == 3);
  CHECK(c.until([&] { return done == 30 && c.same(); }));
  for (size_t n = 0; n < 3; ++n) {
    CHECK(c[n].epoch() == 1);
    CHECK(c[n].info().pins == 60);
    CHECK(c[n].info().blocks < 40);
    CHECK(c[n].disk.replica->epoch().digest != 0);
    CHECK_FALSE(std::filesystem::exists(c[n].disk.path.string() + ".compacting"));
    crdt::test::check_totals(c[n].disk);
  }
  // The 30 later ones may or may not have been in before.
  CHECK((c[0].disk.replica->epoch().digest == digest || c[0].info().pins == 60));
  // What is removed now stays away, whoever removes it.
  int removed = 0;
  spawn(c.context.get_executor(), Member::remove_pin(&c[2], 1, &removed), "unpin");
  CHECK(c.until([&] { return removed == 1 && c.same() && c[0].info().pins == 59; }));
}

TEST_CASE("a plan says who cannot take part, and nothing is begun") {
  Cluster c(3);
  c.churn(6);
  SUBCASE("a peer that is not connected") {
    c.wire.disconnect(c[0].host, c[2].host);
    const auto plan = c.plan(0);
    REQUIRE_FALSE(plan->possible());
    CHECK(c.start(0).error().message().find("is not connected") != std::string::npos);
    // It may be left out when it is gone for good, and not before.
    CHECK(c.plan(0, {c[2].host.self()})->possible());
    CHECK(c.plan(0, {c[1].host.self()}).error().code() == Code::Conflict);
    CHECK(c.plan(0, {c[0].host.self()}).error().code() == Code::InvalidArgument);
  }
  SUBCASE("a peer of another kind") {
    p2p::FakeHost other(c.wire, test::key_of(70).peer_id());
    c.wire.connect(c[0].host, other);
    c[0].known.push_back(other.self());
    CHECK(c.start(0).error().message().find("of another kind") != std::string::npos);
  }
  SUBCASE("a peer that does not trust the one that asks") {
    c[1].trust->set({.all = false, .peers = {}});
    CHECK(c.start(0).error().message().find("it does not trust") != std::string::npos);
  }
  CHECK(c[0].epoch() == 0);
  CHECK_FALSE(c.status(0).running);
}

TEST_CASE("a peer that is lost on the way calls all off, and changes go on") {
  Cluster c(3);
  c.churn(20);
  const auto before = c[0].info();
  // Changes of the third peer do not reach the others any more: they never come in step.
  REQUIRE(c.start(0).has_value());
  c.wire.disconnect(c[0].host, c[2].host);
  REQUIRE(c.ended(0));
  CHECK_FALSE(c.status(0).error.empty());
  CHECK(c.until([&] { return !c[1].history.claimed() && !c[2].history.claimed(); }));
  for (size_t n = 0; n < 3; ++n) {
    CHECK(c[n].epoch() == 0);
    CHECK(c[n].info().digest == before.digest);
  }
  c.wire.connect(c[0].host, c[2].host);
  int done = 0;
  for (uint64_t n = 0; n < 3; ++n) {
    c.put(n, 100 + n, &done);
  }
  CHECK(c.until([&] { return done == 3 && c.same(); }));
  REQUIRE(c.start(2).has_value());
  REQUIRE(c.ended(2));
  CHECK(c.status(2).error.empty());
  CHECK(c[0].epoch() == 1);
}

TEST_CASE(
    "a peer that was away follows with the same pinset, and is left behind with another one") {
  Cluster c(3);
  c.churn(20);
  const PeerId away = c[2].host.self();
  c.wire.disconnect(c[0].host, c[2].host);
  c.wire.disconnect(c[1].host, c[2].host);
  int done = 0;
  const bool writes = [] {
    bool out = false;
    SUBCASE("nothing was written there") {}
    SUBCASE("something was") {
      out = true;
    }
    return out;
  }();
  if (writes) {
    c.put(2, 500, &done);
    CHECK(c.until([&] { return done == 1; }));
  }
  REQUIRE(c.start(0, {away}).has_value());
  REQUIRE(c.ended(0));
  CHECK(c.status(0).error.empty());
  CHECK(c[1].epoch() == 1);
  // Written since: this is how the others announce themselves.
  c.put(0, 600, &done);
  c.wire.connect(c[0].host, c[2].host);
  c.wire.connect(c[1].host, c[2].host);
  if (!writes) {
    CHECK(c.until([&] { return c[2].epoch() == 1 && c.same() && c[2].info().pins == 11; }));
    CHECK_FALSE(c[2].left_behind.has_value());
    return;
  }
  CHECK(c.until([&] { return c[2].left_behind.has_value() && !c[2].history.claimed(); }));
  CHECK(c[2].left_behind->number == 1);
  CHECK(c[2].own == std::vector<Cid>{test_cid(500)});
  CHECK(c[2].info().pins == 11);  // its own, untouched
  CHECK(c[0].info().pins == 11);  // and the others have not taken it in
  CHECK_FALSE(c[0].disk.replica->get(test_cid(500), nullptr)->has_value());
}

// A leader that dies once all have built: the others ask each other.
struct DeadLeader {
  static Task<void> lead(Cluster* c, bool commits, bool* built) {
    std::vector<p2p::StreamPtr> streams;
    for (size_t n = 1; n < 3; ++n) {
      std::vector<std::string> protocols(1, std::string(Compaction::kProtocol));
      auto stream = co_await (*c)[0].host.open_stream((*c)[n].host.self(), std::move(protocols), 5s,
                                                      StopToken());
      streams.push_back(*stream);
    }
    CompactCommand command;
    command.number = 1;
    for (auto& peer : c->peers) {
      command.members.push_back(peer->host.self());
    }
    Bytes base;
    for (const auto step : {CompactStep::Freeze, CompactStep::Build}) {
      command.step = step;
      for (const auto& stream : streams) {
        Bytes out = p2p::frame(encode_compact_command(command));
        const Status sent = co_await stream->write(std::move(out));
        CHECK(sent.has_value());
        p2p::FrameReader reader(stream, CompactAnswer::kMaxBytes);
        const auto frame = co_await reader.next();
        const auto answer = decode_compact_answer(**frame);
        CHECK(answer->error.empty());
        base = answer->epoch.base;
      }
    }
    if (commits) {
      command.step = CompactStep::Commit;
      command.base = base;
      Bytes out = p2p::frame(encode_compact_command(command));
      const Status sent = co_await streams[0]->write(std::move(out));
      CHECK(sent.has_value());
      p2p::FrameReader reader(streams[0], CompactAnswer::kMaxBytes);
      const auto frame = co_await reader.next();
      CHECK(decode_compact_answer(**frame)->error.empty());
    }
    for (const auto& stream : streams) {
      stream->reset();
    }
    *built = true;
  }
};

TEST_CASE("a leader that dies between two commits: who did not hear of it asks the others") {
  Cluster c(3);
  c.churn(20);
  bool built = false;
  spawn(c.context.get_executor(), DeadLeader::lead(&c, /*commits=*/true, &built), "leader");
  CHECK(c.until([&] { return built; }));
  c.wire.disconnect(c[0].host, c[1].host);
  c.wire.disconnect(c[0].host, c[2].host);
  CHECK(c.until([&] { return c[2].epoch() == 1 && !c[2].history.claimed(); }));
  CHECK(c[1].epoch() == 1);
  CHECK(c[1].disk.replica->heads() == c[2].disk.replica->heads());
  // The leader has done nothing of it itself, and follows when it is back.
  CHECK(c[0].epoch() == 0);
  c.wire.connect(c[0].host, c[1].host);
  c.wire.connect(c[0].host, c[2].host);
  CHECK(c.until([&] { return c[0].epoch() == 1 && c.same(); }));
}

TEST_CASE("steps in another order, unknown ones and damaged ones change nothing") {
  for (const auto step : {CompactStep::Build, CompactStep::Commit, CompactStep::Cancel}) {
    CompactCommand command;
    command.step = step;
    command.number = 7;
    command.base = "x";
    const auto read = decode_compact_command(encode_compact_command(command));
    REQUIRE(read.has_value());
    CHECK(read->step == step);
    CHECK(read->number == 7);
    CHECK(read->base == "x");
  }
  CHECK_FALSE(decode_compact_command("").has_value());
  CHECK_FALSE(decode_compact_command(Bytes("\x08\x09", 2)).has_value());
  CHECK_FALSE(decode_compact_command("\xff").has_value());
  CompactCommand nodes;
  nodes.step = CompactStep::Known;
  nodes.digests = {crdt::block_digest("a"), crdt::block_digest("b")};
  CHECK(decode_compact_command(encode_compact_command(nodes))->digests == nodes.digests);
  nodes.digests.assign(CompactCommand::kMaxDigests + 1, Bytes(32, 'x'));
  CHECK(decode_compact_command(encode_compact_command(nodes)).error().code() == Code::TooLarge);
  CompactCommand many;
  many.members.assign(CompactCommand::kMaxMembers + 1, test::key_of(1).peer_id());
  CHECK(decode_compact_command(encode_compact_command(many)).error().code() == Code::TooLarge);

  Cluster c(2);
  c.churn(4);
  struct Asker {
    static Task<void> ask(Cluster* c, CompactCommand command, std::string* error, bool* done) {
      std::vector<std::string> protocols(1, std::string(Compaction::kProtocol));
      auto stream = co_await (*c)[0].host.open_stream((*c)[1].host.self(), std::move(protocols), 5s,
                                                      StopToken());
      Bytes out = p2p::frame(encode_compact_command(command));
      const Status sent = co_await (*stream)->write(std::move(out));
      CHECK(sent.has_value());
      p2p::FrameReader reader(*stream, CompactAnswer::kMaxBytes);
      const auto frame = co_await reader.next();
      *error = decode_compact_answer(**frame)->error;
      *done = true;
    }
  };
  for (const auto step : {CompactStep::Build, CompactStep::Commit, CompactStep::Freeze}) {
    CompactCommand command;
    command.step = step;
    command.number = 5;  // not the next one
    std::string error;
    bool done = false;
    spawn(c.context.get_executor(), Asker::ask(&c, std::move(command), &error, &done), "asking");
    CHECK(c.until([&] { return done; }));
    CHECK_FALSE(error.empty());
  }
  CHECK(c.until([&] { return !c[1].history.claimed(); }));
  CHECK(c[1].epoch() == 0);
}

}  // namespace
}  // namespace ica::cmd
