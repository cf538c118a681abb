#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/codec/peer_id.h"

namespace ica::crdt {

// Decides which wanted blocks are asked for now, from whom, and when again after a failure. It
// holds a bounded part of the work; the rest stays in the store. A pure state machine.
// Thread-safety: none.
class Fetcher {
 public:
  struct Options {
    size_t parallel = 32;
    size_t parallel_urgent = 8;  // beyond those
    size_t window = 4096;        // entries in memory
    Duration first_retry = std::chrono::seconds(1);
    Duration last_retry = std::chrono::seconds(60);
    // Announced heads that nobody has served for so long, in so many attempts, are given up.
    Duration give_up = std::chrono::minutes(5);
    int give_up_attempts = 4;
  };
  struct Request {
    Bytes digest;
    PeerId peer;  // to be asked first; empty: any
  };

  explicit Fetcher(Options options) : options_(options) {}

  // `peer` has it, as far as we know. What is urgent is asked for before what is not, so that
  // nothing that somebody links to without having it keeps a new head waiting.
  void want(const Bytes& digest, const PeerId& peer, SteadyTime now, bool urgent = false);
  // Merged or given up.
  void settled(const Bytes& digest) { forget(digest); }
  // Nothing is wanted any more.
  void settle_all();
  void failed(const Bytes& digest, SteadyTime now);
  // The bytes are here; it stays known, and is not asked for, until it is settled.
  void arrived(const Bytes& digest);
  // What is due waits until then, because it comes without being asked for.
  void hold(SteadyTime until) { held_until_ = until; }
  // Somebody new may have what was missing.
  void retry_all(SteadyTime now);

  // What to ask for now. Every request ends with failed() or arrived().
  std::vector<Request> start(SteadyTime now);
  // When start() may have something although nothing else happens; max() when not.
  SteadyTime next() const;
  // Up to `limit` of what is wanted and has not arrived.
  std::vector<Bytes> outstanding(size_t limit) const;
  // Up to `limit` of what was asked for in vain.
  std::vector<Bytes> failing(size_t limit) const;
  // Candidates for being given up.
  std::vector<Bytes> hopeless(SteadyTime now) const;
  bool knows(const Bytes& digest) const { return items_.contains(digest); }
  // Known and not arrived yet.
  bool waits_for(const Bytes& digest) const;
  size_t size() const { return items_.size(); }
  // Lets go of what waits for a retry, to make room for work that is only in the store.
  void rotate();

 private:
  enum class State { Waiting, InFlight, Arrived };
  struct Item {
    PeerId peer;
    State state = State::Waiting;
    int attempts = 0;
    SteadyTime since{};  // first wanted
    SteadyTime due{};    // while Waiting
    bool urgent = false;
    uint64_t order = 0;
  };
  using Due = std::pair<SteadyTime, std::pair<uint64_t, Bytes>>;

  void schedule(const Bytes& digest, Item& item, SteadyTime due);
  void unschedule(const Bytes& digest, const Item& item);
  void forget(const Bytes& digest);

  const Options options_;
  std::map<Bytes, Item> items_;
  std::set<Due> due_;  // items that wait
  uint64_t next_order_ = 0;
  size_t in_flight_ = 0;
  size_t urgent_in_flight_ = 0;
  SteadyTime held_until_{};
};

}  // namespace ica::crdt
