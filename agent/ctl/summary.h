#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"

namespace ica::ctl {

// What `ipfs-cluster-ctl health` gathers from a peer's answers, one document at a time, so that its
// memory does not follow the pinset. Thread-safety: none.
class Summary {
 public:
  // A document of GET /peers.
  void add_peer(std::string_view json);
  // The document of GET /monitor/metrics/freespace.
  void add_free_space(std::string_view json);
  // The document of GET /health/alerts.
  void add_alerts(std::string_view json);
  // A document of GET /pins with a filter that leaves out what is well.
  void add_unsettled(std::string_view json);
  // A document of GET /allocations; for peers without the one below.
  void add_pin() { ++pins_; }
  // The document of GET /health/pinset, which only our peers have: number of pins, and the digest
  // of each such peer. A digest that is out of date or of a peer that still catches up is not
  // compared. False when it is no such document.
  bool add_pinset(std::string_view json);

  // Whether nobody has to look at it: all peers answer, no errors, nothing stuck, digests agree.
  bool healthy(Time now) const;
  std::string json(Time now) const;
  // One page in at most `width` columns (0: no limit), in colour when asked for.
  std::string text(Time now, size_t width, bool colours) const;

 private:
  struct Peer {
    std::string id, name, error, ipfs_error, free;
  };
  struct Example {
    std::string cid, name, peer, status, error;
  };
  static constexpr size_t kExamples = 5;

  size_t unreachable() const;
  Duration queue_age(Time now) const;
  bool digests_agree() const;
  std::vector<std::string> complaints(Time now) const;

  std::vector<Peer> peers_;
  uint64_t pins_ = 0;
  std::map<std::string, uint64_t> statuses_;  // of one item at one peer, but pinned and remote
  uint64_t under_replicated_ = 0;
  std::vector<Example> examples_;
  Time oldest_queued_;  // zero: nothing waits
  std::vector<std::string> alerts_;
  struct Digest {
    std::string value;
    bool settled = false;
  };
  std::map<std::string, Digest> digests_;  // by peer
};

}  // namespace ica::ctl
