#include "agent/crdt/announcer.h"

#include <algorithm>

namespace ica::crdt {

namespace {

// More than anybody has heads; what a flood of announcements may make us remember.
constexpr size_t kMaxHeard = 16'384;

SteadyTime::duration steady(Duration d) {
  return std::chrono::duration_cast<SteadyTime::duration>(d);
}

}  // namespace

Announcer::Announcer(Options options, uint64_t seed, SteadyTime now)
    : options_(std::move(options)), random_(seed), repeats_done_(options_.repeats.size()) {
  schedule_rebroadcast(now);
}

void Announcer::schedule_rebroadcast(SteadyTime now) {
  const auto leeway = options_.rebroadcast.count() * 3 / 10;
  std::uniform_int_distribution<int64_t> jitter(-leeway, leeway);
  rebroadcast_at_ = now + steady(options_.rebroadcast + Duration(jitter(random_)));
}

void Announcer::changed(SteadyTime now) {
  if (!send_at_) {
    send_at_ = last_sent_ ? std::max(now, *last_sent_ + steady(options_.coalesce)) : now;
  }
  last_change_ = now;
  repeats_done_ = 0;
}

void Announcer::heard(const std::vector<Bytes>& digests) {
  for (const auto& digest : digests) {
    if (heard_.size() < kMaxHeard) {
      heard_.insert(digest);
    }
  }
}

SteadyTime Announcer::next() const {
  SteadyTime at = rebroadcast_at_;
  if (send_at_) {
    at = std::min(at, *send_at_);
  }
  if (repeats_done_ < options_.repeats.size()) {
    at = std::min(at, last_change_ + steady(options_.repeats[repeats_done_]));
  }
  return at;
}

std::vector<Bytes> Announcer::poll(SteadyTime now, const std::vector<Bytes>& heads) {
  bool send = false;
  if (send_at_ && *send_at_ <= now) {
    send_at_.reset();
    send = true;
  }
  while (repeats_done_ < options_.repeats.size() &&
         last_change_ + steady(options_.repeats[repeats_done_]) <= now) {
    ++repeats_done_;
    send = true;
  }
  std::vector<Bytes> out;
  if (send) {
    out = heads;
  }
  if (rebroadcast_at_ <= now) {
    if (!send) {
      std::copy_if(heads.begin(), heads.end(), std::back_inserter(out),
                   [this](const Bytes& head) { return !heard_.contains(head); });
    }
    heard_.clear();
    schedule_rebroadcast(now);
  }
  if (send) {
    last_sent_ = now;
  }
  return out;
}

}  // namespace ica::crdt
