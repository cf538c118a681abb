#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "common/api/peer.h"

namespace ica::cluster {

// What this peer has placed on others and they cannot have told yet. Free space comes by metric
// every half minute or so, and goes down only when the content has come: without a guess all pins
// of a bulk import go to the peers that were freest before it. Each copy counts as kGuessedBytes
// until the next metric of its peer. Thread-safety: any thread.
class Placements {
 public:
  static constexpr int64_t kGuessedBytes = 1 << 20;

  // `freespace`: the latest metrics, as the places were chosen by.
  void placed(const std::vector<PeerId>& before, const std::vector<PeerId>& after,
              const std::vector<api::Metric>& freespace);
  // Takes what was placed since off their weights; no weight gets below 1.
  void discount(std::vector<api::Metric>& freespace) const;
  // The same of so many copies off one.
  static void take_off(api::Metric& freespace, int64_t copies);

 private:
  struct Since {
    int64_t expire = 0;  // of the metric, which tells it from the next one
    int64_t copies = 0;
  };
  mutable std::mutex mutex_;
  std::map<PeerId, Since> since_;
};

}  // namespace ica::cluster
