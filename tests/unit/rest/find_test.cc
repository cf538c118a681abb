#include "agent/rest/find.h"

#include <doctest/doctest.h>

#include "agent/cluster/event_log.h"
#include "tests/unit/cluster/fakes.h"
#include "tests/unit/scratch_dir.h"

namespace ica::rest {
namespace {

using test::cid_number;
using test::FakePeer;

api::Pin pin_of(int n, const std::string& name) {
  api::Pin pin;
  pin.cid = cid_number(n);
  pin.options.replication_factor_min = pin.options.replication_factor_max = -1;
  pin.options.name = name;
  pin.options.metadata = {{"team", n % 3 == 0 ? "a" : "b"}};
  pin.timestamp = Time::from_unix(1'800'000'000 + n);
  return pin;
}

struct Bench : FakePeer {
  Bench() {
    for (int n = 0; n < 100; ++n) {
      const api::Pin pin = pin_of(n, n % 2 == 0 ? "Even" : "odd");
      REQUIRE(await(pinset.put(pin)));
    }
  }
  size_t pins(const std::string& query) {
    auto find = read_find(http::Query(query));
    REQUIRE(find);
    return all(find_pins(use_cases(), ~uint64_t{0}, *find, {}))->size();
  }
  std::vector<api::GlobalPinInfo> infos(const std::string& query, api::StatusFilter filter = 0) {
    auto find = read_find(http::Query(query));
    REQUIRE(find);
    return *all(find_statuses(use_cases(), filter, false, *find, {}));
  }
};

TEST_CASE("find: each parameter narrows") {
  Bench b;
  CHECK(b.pins("limit=7") == 7);
  CHECK(b.pins("limit=700") == 100);
  CHECK(b.pins("name=Even") == 50);
  CHECK(b.pins("name=even") == 0);
  CHECK(b.pins("name=even&name-match=iexact") == 50);
  CHECK(b.pins("name=d&name-match=partial") == 50);
  CHECK(b.pins("name=EVE&name-match=ipartial") == 50);
  CHECK(b.pins("meta.team=a") == 34);
  CHECK(b.pins("meta.team=a&meta.x=y") == 0);
  CHECK(b.pins("created-before=2027-01-15T08:00:10Z") == 10);
  CHECK(b.pins("created-after=2027-01-15T08:00:10Z&limit=1000") == 89);
  CHECK(b.pins("meta.team=a&name=odd&limit=3") == 3);
}

TEST_CASE("find: pages meet without gap or repetition") {
  Bench b;
  std::vector<Cid> seen;
  std::string after;
  while (true) {
    auto find = read_find(http::Query("name=odd&limit=7" + after));
    REQUIRE(find);
    auto page = b.all(find_pins(b.use_cases(), ~uint64_t{0}, *find, {}));
    if (page->empty()) {
      break;
    }
    for (const auto& pin : *page) {
      seen.push_back(pin.cid);
    }
    after = "&after=" + seen.back().text();
  }
  CHECK(seen.size() == 50);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
}

TEST_CASE("find: statuses, one by one and out of the list") {
  Bench b;
  const auto pinned = static_cast<api::StatusFilter>(api::TrackerStatus::Pinned);
  const auto failed = static_cast<api::StatusFilter>(api::TrackerStatus::PinError);
  b.tracker.local[cid_number(3)].status = api::TrackerStatus::PinError;
  b.tracker.local[cid_number(5)].status = api::TrackerStatus::PinError;
  CHECK(b.infos("name=odd").size() == 50);
  CHECK(b.infos("name=odd", pinned).size() == 48);
  CHECK(b.infos("name=odd&limit=1", failed).size() == 1);
  CHECK(b.infos("name=o&name-match=partial", failed).size() == 2);
  CHECK(b.infos("meta.team=a", failed).size() == 1);
  CHECK(b.infos("limit=5", failed).size() == 2);
}

TEST_CASE("find: nonsense is refused") {
  for (const char* query : {"limit=0", "limit=-1", "limit=x", "after=x", "name-match=fuzzy",
                            "created-before=yesterday"}) {
    CHECK(!read_find(http::Query(query)));
  }
  CHECK(!read_find(http::Query("filter=all&local=true"))->any());
}

TEST_CASE("events: in order, resumable, bounded, and there after a restart") {
  test::ScratchDir dir;
  ManualClock clock;
  store::Options options;
  options.path = dir.path();
  auto store = store::Store::open(options).value();
  const auto change = [&](cluster::EventLog& log, int n, bool there) {
    crdt::PinChange c;
    c.cid = cid_number(n);
    (there ? c.after : c.before) = pin_of(n, "name" + std::to_string(n));
    store::Batch batch;
    log.on_change(c, batch);
    REQUIRE(store->commit(std::move(batch), store::Sync::No));
    log.on_committed({});
  };
  {
    auto log = cluster::EventLog::open(*store, clock, 1500).value();
    CHECK(log->last() == 0);
    change(*log, 1, true);
    change(*log, 1, false);
    store::Batch batch;
    log->operation_ended(cid_number(1), api::TrackerStatus::PinError, "no \"way\"", batch);
    REQUIRE(store->commit(std::move(batch), store::Sync::No));
    const auto all = log->read(0, 10).value();
    REQUIRE(all.size() == 3);
    CHECK(all[0].type == "pin");
    CHECK(all[0].name == "name1");
    CHECK(all[1].type == "unpin");
    CHECK(all[2].json.find("\"status\":\"pin_error\",\"error\":\"no \\\"way\\\"\"") !=
          std::string::npos);
    CHECK(log->read(all[1].id, 10)->size() == 1);
    CHECK(log->read(log->last(), 10)->empty());
  }
  auto log = cluster::EventLog::open(*store, clock, 1500).value();
  CHECK(log->last() == 3);
  for (int i = 0; i < 4000; ++i) {
    change(*log, i, true);
  }
  CHECK(log->last() == 4003);
  CHECK(log->first() == 2501);
  CHECK(log->read(0, 1)->front().id == log->first());
  CHECK(log->read(0, 5000)->size() == 4003 - 2500);
}

}  // namespace
}  // namespace ica::rest
