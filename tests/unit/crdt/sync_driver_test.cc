#include "agent/crdt/sync_driver.h"

#include <thread>

#include "common/base/async.h"
#include "tests/unit/crdt/support.h"

namespace ica::crdt {
namespace {

using test::ScratchDir;
using test::test_pin;

struct Member;

// Everybody hears everybody; blocks come from whoever has them.
struct Hub {
  std::vector<Member*> members;
};

struct Member final : BlockSource, Broadcaster, HistorySource {
  Member(Hub& h, const std::filesystem::path& path, size_t n)
      : hub(h),
        peer(path),
        id(*PeerId::from_bytes(block_cid(block_digest(std::to_string(n))).multihash())),
        pinset(*peer.replica, context.get_executor()),
        driver(*peer.replica, *this, *this, clock, context.get_executor(), context.get_executor(),
               {}, n) {
    pinset.set_sink(driver);
  }

  Task<Result<Bytes>> fetch(Cid cid, PeerId first, StopToken) override;
  void settled(const std::vector<Bytes>& digests) override;
  void broadcast(Bytes message) override;
  bool streams(const PeerId&) const override { return streaming; }
  Task<Status> stream(PeerId from, Bytes request, std::shared_ptr<HistorySink> sink,
                      StopToken stop) override;

  Hub& hub;
  test::Peer peer;
  PeerId id;
  asio::io_context context{1};
  SystemClock clock;
  LocalPinset pinset;
  SyncDriver driver;
  std::atomic<bool> deaf{false};
  bool streaming = false;
  std::atomic<int> fetches{0};
  std::atomic<size_t> settled_nodes{0};
  std::atomic<int> requests{0};
};

void Member::settled(const std::vector<Bytes>& digests) {
  for (const Bytes& digest : digests) {
    const auto block = peer.replica->block(digest);
    CHECK((block && block->has_value()));
  }
  settled_nodes += digests.size();
}

Task<Result<Bytes>> Member::fetch(Cid cid, PeerId first, StopToken) {
  const auto digest = digest_of(cid);
  ++fetches;
  for (auto* other : hub.members) {
    if (other == this || (!first.empty() && other->id != first)) {
      continue;
    }
    auto block = other->peer.replica->block(*digest);
    if (block && *block) {
      co_return **std::move(block);
    }
  }
  co_return fail(Code::Unavailable, "nobody has {}", cid);
}

Task<Status> Member::stream(PeerId from, Bytes request, std::shared_ptr<HistorySink> sink,
                            StopToken) {
  const auto decoded = decode_history_request(request);
  const auto other =
      *std::find_if(hub.members.begin(), hub.members.end(), [&](auto* m) { return m->id == from; });
  ++requests;
  HistoryWalk walk(*other->peer.replica, *decoded);
  std::vector<Bytes> blocks;
  bool more = true;
  while (more) {
    auto block = *walk.next();
    more = block.has_value();
    if (block) {
      blocks.push_back(*std::move(block));
    }
    if (!blocks.empty() && (blocks.size() == 100 || !more)) {
      std::vector<Bytes> ready = std::move(blocks);
      blocks.clear();
      const bool wanted = co_await sink->take(std::move(ready));
      more = more && wanted;
    }
  }
  co_return Status();
}

void Member::broadcast(Bytes message) {
  for (auto* other : hub.members) {
    if (other != this && !other->deaf) {
      other->driver.on_message(message, id);
    }
  }
}

Task<void> put_many(Pinset* pinset, uint64_t first, uint64_t count, std::atomic<int>* failed) {
  for (uint64_t i = first; i < first + count; ++i) {
    const auto status = co_await pinset->put(test_pin(i));
    *failed += status ? 0 : 1;
  }
}

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    std::this_thread::yield();
  }
  return true;
}

TEST_CASE("three peers on threads write at once and agree; one that missed it all catches up") {
  ScratchDir dir;
  Hub hub;
  std::vector<std::unique_ptr<Member>> members;
  for (size_t i = 0; i < 3; ++i) {
    members.push_back(std::make_unique<Member>(hub, dir.path() / std::to_string(i), i));
    hub.members.push_back(members.back().get());
  }
  members[2]->deaf = true;
  std::vector<std::thread> threads;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> guards;
  std::atomic<int> failed{0};
  for (auto& member : members) {
    member->driver.start();
    guards.push_back(asio::make_work_guard(member->context));
  }
  for (size_t i = 0; i < 2; ++i) {
    for (uint64_t c = 0; c < 10; ++c) {
      spawn(members[i]->context.get_executor(),
            put_many(&members[i]->pinset, i * 1000 + c * 20, 20, &failed), "put");
    }
  }
  for (auto& member : members) {
    threads.emplace_back([&context = member->context] { context.run(); });
  }
  const auto pins = [&](size_t i) { return members[i]->pinset.info().pins; };
  CHECK(eventually([&] { return pins(0) == 400 && pins(1) == 400; }));
  CHECK(pins(2) == 0);
  CHECK(failed == 0);
  members[2]->deaf = false;
  for (auto& member : members) {
    member->driver.on_peer_subscribed(members[2]->id);
  }
  CHECK(eventually([&] { return pins(2) == 400 && members[2]->pinset.info().work == 0; }));
  CHECK(members[2]->pinset.info().digest == members[0]->pinset.info().digest);
  CHECK(members[1]->pinset.info().digest == members[0]->pinset.info().digest);
  for (auto& member : members) {
    member->driver.stop();
    member->pinset.close();
  }
  guards.clear();
  for (auto& thread : threads) {
    thread.join();
  }
}

TEST_CASE("a long history comes as a stream, with hardly a question for a single node") {
  ScratchDir dir;
  Hub hub;
  Member old(hub, dir.path() / "old", 0);
  Member newcomer(hub, dir.path() / "new", 1);
  hub.members = {&old, &newcomer};
  constexpr uint64_t kNodes = 6000;
  for (uint64_t i = 0; i < kNodes; ++i) {
    REQUIRE(old.peer.replica->write({test::put_op(test_pin(i))}).has_value());
  }
  newcomer.streaming = true;
  std::vector<std::thread> threads;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> guards;
  for (auto* member : hub.members) {
    member->driver.set_history(*member);
    member->driver.start();
    guards.push_back(asio::make_work_guard(member->context));
    threads.emplace_back([&context = member->context] { context.run(); });
  }
  CHECK(eventually([&] { return newcomer.pinset.info().pins == kNodes; }));
  CHECK(newcomer.pinset.info().digest == old.pinset.info().digest);
  CHECK(eventually([&] { return newcomer.settled_nodes >= kNodes; }));
  CHECK(newcomer.fetches < 50);
  CHECK(newcomer.requests < 5);
  for (auto* member : hub.members) {
    member->driver.stop();
    member->pinset.close();
  }
  guards.clear();
  for (auto& thread : threads) {
    thread.join();
  }
  CHECK(newcomer.peer.replica->heads() == old.peer.replica->heads());
}

}  // namespace
}  // namespace ica::crdt
