#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <unordered_set>

#include "common/base/bytes.h"
#include "common/base/clock.h"

namespace ica::p2p {

// The IDs of messages that came within the last half hour. A busy cluster has some ten thousand of
// them, so each is kept as a keyed hash of 64 bits: with the key nobody can make two that collide,
// and by chance two of 200,000 do once in a thousand million. A collision costs one announcement,
// which is repeated. Thread-safety: none.
class SeenMessages {
 public:
  // An ID is known for at least `ttl` and a sixth longer at most, unless `limit` newer ones came.
  SeenMessages(Duration ttl, size_t limit, uint64_t key);

  bool contains(const Bytes& id) const;
  // False when it was known already.
  bool insert(const Bytes& id, SteadyTime now);
  size_t size() const;

 private:
  struct Generation {
    SteadyTime begin;
    std::unordered_set<uint64_t> hashes;
  };

  uint64_t hash(const Bytes& id) const;
  bool contains(uint64_t hash) const;

  const Duration ttl_;
  const size_t limit_;
  std::array<uint64_t, 2> key_;
  std::deque<Generation> generations_;  // newest first
};

}  // namespace ica::p2p
