#include "agent/tracker/queue_reader.h"

#include <doctest/doctest.h>
#include <map>
#include <random>

#include "tests/unit/tracker/fakes.h"

using namespace ica;
using namespace ica::tracker;
using namespace ica::tracker::test;

TEST_CASE("entries come in order, each once, whatever is inserted meanwhile") {
  ica::test::ScratchDir dir;
  store::Options options;
  options.path = dir.path();
  auto store = *store::Store::open(options);
  QueueReader reader(*store);
  std::mt19937_64 random(3);
  std::map<Bytes, uint64_t> waiting;  // key -> seq
  std::map<uint64_t, QueueEntry> taken;
  uint64_t seq = 0;
  for (int step = 0; step < 4000; ++step) {
    switch (random() % 5) {
      case 0:
      case 1: {
        const int n = 1 + static_cast<int>(random() % 20);
        store::Batch batch;
        std::vector<QueueKey> keys;
        for (int i = 0; i < n; ++i) {
          const QueueKey key{Lane::Fresh, static_cast<int64_t>(step / 2 + random() % 1000), ++seq};
          batch.put(store::Family::Queue, encode_queue_key(key), cid_of(seq).bytes());
          keys.push_back(key);
          waiting[encode_queue_key(key)] = seq;
        }
        REQUIRE(store->commit(std::move(batch), store::Sync::No).has_value());
        for (const QueueKey& key : keys) {
          reader.inserted(key);
        }
        break;
      }
      case 2:
        if (!taken.empty()) {
          // Its outcome is written.
          store::Batch batch;
          batch.del(store::Family::Queue, encode_queue_key(taken.begin()->second.key));
          REQUIRE(store->commit(std::move(batch), store::Sync::No).has_value());
          taken.erase(taken.begin());
        }
        break;
      default: {
        auto entry = *reader.peek(Lane::Fresh);
        // The owner knows what it has taken and what is done.
        while (entry && !waiting.contains(encode_queue_key(entry->key))) {
          reader.take(Lane::Fresh);
          entry = *reader.peek(Lane::Fresh);
        }
        REQUIRE(entry.has_value() == !waiting.empty());
        if (entry) {
          CHECK(encode_queue_key(entry->key) == waiting.begin()->first);
          CHECK(entry->cid == cid_of(entry->key.seq));
          reader.take(Lane::Fresh);
          waiting.erase(waiting.begin());
          taken[entry->key.seq] = *entry;
        }
      }
    }
  }
  CHECK(seq > 1000);
}

TEST_CASE("what is put back comes first, and an empty lane is not read again") {
  ica::test::ScratchDir dir;
  store::Options options;
  options.path = dir.path();
  auto store = *store::Store::open(options);
  QueueReader reader(*store);
  CHECK_FALSE(reader.peek(Lane::Unpin)->has_value());
  store::Batch batch;
  const QueueKey one{Lane::Unpin, 1, 1};
  const QueueKey two{Lane::Unpin, 2, 2};
  batch.put(store::Family::Queue, encode_queue_key(one), cid_of(1).bytes());
  batch.put(store::Family::Queue, encode_queue_key(two), cid_of(2).bytes());
  REQUIRE(store->commit(std::move(batch), store::Sync::No).has_value());
  CHECK_FALSE(reader.peek(Lane::Unpin)->has_value());
  reader.inserted(one);
  reader.inserted(two);
  const QueueEntry first = **reader.peek(Lane::Unpin);
  CHECK(first.cid == cid_of(1));
  reader.take(Lane::Unpin);
  CHECK((*reader.peek(Lane::Unpin))->cid == cid_of(2));
  reader.put_back(first);
  CHECK((*reader.peek(Lane::Unpin))->cid == cid_of(1));
  reader.rewind();
  CHECK((*reader.peek(Lane::Unpin))->cid == cid_of(1));
}
