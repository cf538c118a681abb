#include "agent/cluster/placements.h"

#include <algorithm>

#include "agent/cluster/contains.h"

namespace ica::cluster {

void Placements::placed(const std::vector<PeerId>& before, const std::vector<PeerId>& after,
                        const std::vector<api::Metric>& freespace) {
  const std::lock_guard lock(mutex_);
  for (const api::Metric& metric : freespace) {
    if (!contains(after, metric.peer) || contains(before, metric.peer)) {
      continue;
    }
    Since& since = since_[metric.peer];
    if (since.expire != metric.expire) {
      since = {metric.expire, 0};
    }
    ++since.copies;
  }
  // Peers that have left.
  if (since_.size() > 2 * freespace.size()) {
    std::erase_if(since_, [&](const auto& entry) {
      return std::none_of(freespace.begin(), freespace.end(),
                          [&](const api::Metric& metric) { return metric.peer == entry.first; });
    });
  }
}

void Placements::discount(std::vector<api::Metric>& freespace) const {
  const std::lock_guard lock(mutex_);
  for (api::Metric& metric : freespace) {
    const auto found = since_.find(metric.peer);
    if (found != since_.end() && found->second.expire == metric.expire) {
      take_off(metric, found->second.copies);
    }
  }
}

void Placements::take_off(api::Metric& freespace, int64_t copies) {
  // Without a weight the value counts, as a peer older than weights tells it.
  if (freespace.weight > 0) {
    const int64_t most = (freespace.weight - 1) / kGuessedBytes;
    freespace.weight = copies > most ? 1 : freespace.weight - copies * kGuessedBytes;
  }
}

}  // namespace ica::cluster
