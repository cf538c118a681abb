#include "agent/p2p/seen_messages.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <sodium/crypto_shorthash.h>

namespace ica::p2p {

namespace {

// What is forgotten is forgotten a generation at a time.
constexpr int kGenerations = 6;

}  // namespace

SeenMessages::SeenMessages(Duration ttl, size_t limit, uint64_t key) : ttl_(ttl), limit_(limit) {
  std::mt19937_64 random(key);
  key_ = {random(), random()};
  static_assert(sizeof key_ == crypto_shorthash_KEYBYTES);
}

uint64_t SeenMessages::hash(const Bytes& id) const {
  std::array<unsigned char, crypto_shorthash_BYTES> out{};
  std::array<unsigned char, crypto_shorthash_KEYBYTES> key{};
  std::memcpy(key.data(), key_.data(), key.size());
  crypto_shorthash(out.data(), reinterpret_cast<const unsigned char*>(id.data()), id.size(),
                   key.data());
  uint64_t value = 0;
  std::memcpy(&value, out.data(), sizeof value);
  return value;
}

bool SeenMessages::contains(uint64_t hash) const {
  return std::any_of(generations_.begin(), generations_.end(),
                     [hash](const Generation& one) { return one.hashes.contains(hash); });
}

bool SeenMessages::contains(const Bytes& id) const {
  return contains(hash(id));
}

bool SeenMessages::insert(const Bytes& id, SteadyTime now) {
  const uint64_t value = hash(id);
  const Duration span = ttl_ / kGenerations;
  while (!generations_.empty() && generations_.back().begin + span + ttl_ <= now) {
    generations_.pop_back();
  }
  if (contains(value)) {
    return false;
  }
  const bool open = !generations_.empty() && now < generations_.front().begin + span &&
                    generations_.front().hashes.size() < limit_ / kGenerations;
  if (!open) {
    generations_.push_front({now, {}});
  }
  while (generations_.size() > 1 && size() >= limit_) {
    generations_.pop_back();
  }
  generations_.front().hashes.insert(value);
  return true;
}

size_t SeenMessages::size() const {
  size_t total = 0;
  for (const Generation& one : generations_) {
    total += one.hashes.size();
  }
  return total;
}

}  // namespace ica::p2p
