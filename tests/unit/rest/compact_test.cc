#include "agent/cluster/compactor.h"
#include "tests/unit/rest/served.h"

namespace ica::rest {
namespace {

using test::Answer;
using test::peer_id;
using test::Served;

// Says what the test tells it to. Used by the server's thread while the test waits for an answer.
class FakeCompactor final : public cluster::Compactor {
 public:
  Task<Result<cluster::CompactPlan>> plan(std::vector<PeerId> without, StopToken) override {
    if (refusal) {
      co_return fail(*refusal);
    }
    cluster::CompactPlan out = planned;
    out.without = std::move(without);
    co_return out;
  }
  Task<Status> start(std::vector<PeerId> without) override {
    if (refusal) {
      co_return fail(*refusal);
    }
    started.push_back(std::move(without));
    now.running = now.led = true;
    now.step = "asking the others";
    co_return Status();
  }
  cluster::CompactStatus status() const override { return now; }

  cluster::CompactPlan planned;
  cluster::CompactStatus now;
  std::optional<Error> refusal;
  std::vector<std::vector<PeerId>> started;
};

// A peer with a compactor.
struct World {
  explicit World(bool follower = false)
      : served([this, follower](test::FakePeer& peer) {
          peer.compactor = &compactor;
          peer.config.cluster.follower_mode = follower;
          peer.announce(1);
        }) {}

  FakeCompactor compactor;
  Served served;
};

const std::string kStatusBegin = "{\"running\":";

}  // namespace

TEST_CASE("compact: the plan") {
  World world;
  auto& plan = world.compactor.planned;
  plan.epoch = 3;
  plan.pins = 5;
  plan.changes = 100;
  plan.changes_after = 2;
  plan.disk_bytes = 12345;
  cluster::CompactMember member;
  member.peer = peer_id(1);
  member.pins = 5;
  member.changes = 99;
  member.digest = 0xab;
  plan.members.push_back(member);
  Answer answer = world.served.ask("GET", "/compact/plan");
  CHECK(answer.status == 200);
  CHECK(answer.body ==
        "{\"possible\":true,\"epoch\":3,\"pins\":5,\"changes\":100,\"changes_after\":2,"
        "\"disk_bytes\":12345,\"members\":[{\"peer\":\"" +
            peer_id(1).text() +
            "\",\"peername\":\"peer1\",\"problem\":\"\",\"pins\":5,\"changes\":99,"
            "\"digest\":\"00000000000000ab\"}],\"without\":[]}\n");
  plan.members[0].problem = "cannot be reached";
  answer = world.served.ask("GET",
                            "/compact/plan?without=" + peer_id(2).text() + "," + peer_id(0).text());
  CHECK(answer.body.starts_with("{\"possible\":false,"));
  CHECK(answer.body.find("\"problem\":\"cannot be reached\"") != std::string::npos);
  CHECK(answer.body.ends_with("\"without\":[\"" + peer_id(2).text() + "\",\"" + peer_id(0).text() +
                              "\"]}\n"));
  world.compactor.refusal = Error(Code::Timeout, "nobody answers");
  answer = world.served.ask("GET", "/compact/plan");
  CHECK(answer.status == 500);
  CHECK(answer.body == "{\"code\":500,\"message\":\"nobody answers\"}\n");
}

TEST_CASE("compact: start, and what became of it") {
  World world;
  Answer answer = world.served.ask("GET", "/compact");
  CHECK(answer.status == 200);
  CHECK(answer.body ==
        "{\"running\":false,\"step\":\"\",\"epoch\":0,\"led\":false,\"ended\":\"\",\"error\":\"\","
        "\"paused\":\"0s\",\"changes_before\":0,\"changes_after\":0,\"members\":0}\n");
  answer = world.served.ask("POST", "/compact/start?without=" + peer_id(2).text());
  CHECK(answer.status == 200);
  CHECK(answer.body.starts_with(
      "{\"running\":true,\"step\":\"asking the others\",\"epoch\":0,\"led\":true,\"ended\":\"\","));
  REQUIRE(world.compactor.started.size() == 1);
  CHECK(world.compactor.started[0] == std::vector<PeerId>{peer_id(2)});

  auto& now = world.compactor.now;
  now = {};
  now.led = true;
  now.epoch = 1;
  now.ended = Time::from_unix(1'800'000'000);
  now.error = "peer1 went away";
  now.paused = std::chrono::milliseconds(1200);
  now.changes_before = 31415;
  now.changes_after = 2;
  now.members = 3;
  CHECK(world.served.ask("GET", "/compact").body ==
        "{\"running\":false,\"step\":\"\",\"epoch\":1,\"led\":true,"
        "\"ended\":\"2027-01-15T08:00:00Z\",\"error\":\"peer1 went away\",\"paused\":\"1.2s\","
        "\"changes_before\":31415,\"changes_after\":2,\"members\":3}\n");
}

TEST_CASE("compact: what is refused") {
  World world;
  for (const std::string target : {"nobody", "%2C", "12D3", "a,b"}) {
    CAPTURE(target);
    Answer answer = world.served.ask("GET", "/compact/plan?without=" + target);
    CHECK(answer.status == 400);
    CHECK(answer.body.starts_with("{\"code\":400,\"message\":\"error decoding Peer ID: "));
    answer = world.served.ask("POST", "/compact/start?without=" + target);
    CHECK(answer.status == 400);
  }
  CHECK(world.compactor.started.empty());
  world.compactor.refusal = Error(Code::Conflict, "one runs already");
  const Answer answer = world.served.ask("POST", "/compact/start");
  CHECK(answer.status == 409);
  CHECK(answer.body == "{\"code\":409,\"message\":\"one runs already\"}\n");
}

TEST_CASE("compact: a follower looks and does not touch") {
  World world(true);
  CHECK(world.served.ask("GET", "/compact").body.starts_with(kStatusBegin));
  CHECK(world.served.ask("GET", "/compact/plan").status == 200);
  const Answer answer = world.served.ask("POST", "/compact/start");
  CHECK(answer.status == 500);
  CHECK(answer.body.find("follower mode") != std::string::npos);
  CHECK(world.compactor.started.empty());
}

TEST_CASE("compact: a peer that cannot") {
  Served served;
  for (const auto& [method, target] : std::vector<std::pair<std::string, std::string>>{
           {"GET", "/compact"}, {"GET", "/compact/plan"}, {"POST", "/compact/start"}}) {
    CAPTURE(target);
    const Answer answer = served.ask(method, target);
    CHECK(answer.status == 404);
    CHECK(answer.body.find("cannot be compacted") != std::string::npos);
  }
}

}  // namespace ica::rest
