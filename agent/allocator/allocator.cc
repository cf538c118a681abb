#include "agent/allocator/allocator.h"

#include <algorithm>
#include <charconv>
#include <deque>
#include <functional>
#include <memory>
#include <set>

namespace ica::allocator {
namespace {

int64_t weight_of(const api::Metric& metric) {
  if (metric.weight != 0) {
    return metric.weight;
  }
  // Peers older than weights send the number as text only.
  int64_t value = 0;
  std::from_chars(metric.value.data(), metric.value.data() + metric.value.size(), value);
  return value;
}

// Peers that share a value of one metric. Leaves hold peers, inner nodes the parts by the next
// metric.
struct Part {
  std::string value;
  int64_t weight = 0;
  int64_t total_weight = 0;  // with everything below
  uint64_t lot = 0;          // decides between equal weights
  std::deque<PeerId> peers;
  std::vector<Part> parts;
  size_t turn = 0;

  // Heavier parts first; ties by what is below, then by lot and value, so that the order is the
  // same everywhere.
  friend bool operator<(const Part& a, const Part& b) {
    if (a.weight != b.weight) {
      return a.weight > b.weight;
    }
    if (a.total_weight != b.total_weight) {
      return a.total_weight > b.total_weight;
    }
    if (a.lot != b.lot) {
      return a.lot < b.lot;
    }
    return a.value < b.value;
  }

  // Takes the next peer, going round the parts; nothing when all are taken.
  bool take(PeerId& out) {
    if (parts.empty()) {
      if (peers.empty()) {
        return false;
      }
      out = std::move(peers.front());
      peers.pop_front();
      return true;
    }
    for (size_t tried = 0; tried < parts.size(); ++tried) {
      Part& part = parts[turn];
      turn = (turn + 1) % parts.size();
      if (part.take(out)) {
        return true;
      }
    }
    return false;
  }
};

// Well mixed, so that one seed's order of some names says nothing about another seed's.
uint64_t draw(uint64_t seed, std::string_view name) {
  uint64_t x = seed ^ std::hash<std::string_view>{}(name);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// `seed`: of the lots, 0 for none.
void divide(Part& node, const MetricsSet& metrics, const std::vector<std::string>& by, size_t level,
            const std::set<PeerId>& members, uint64_t seed) {
  if (level == by.size()) {
    node.peers.assign(members.begin(), members.end());
    return;
  }
  const auto found = metrics.find(by[level]);
  if (found == metrics.end()) {
    return;
  }
  std::vector<std::set<PeerId>> peers_of;
  std::map<std::string, size_t> by_value;
  for (const api::Metric& metric : found->second) {
    if (!members.contains(metric.peer)) {
      continue;
    }
    size_t index = node.parts.size();
    if (metric.partitionable) {
      index = by_value.emplace(metric.value, index).first->second;
    }
    if (index == node.parts.size()) {
      node.parts.emplace_back();
      node.parts.back().value = metric.value;
      if (seed != 0) {
        node.parts.back().lot =
            draw(seed, metric.partitionable ? metric.value : metric.peer.bytes());
      }
      peers_of.emplace_back();
    }
    node.parts[index].weight += weight_of(metric);
    peers_of[index].insert(metric.peer);
  }
  for (size_t i = 0; i < node.parts.size(); ++i) {
    Part& part = node.parts[i];
    part.total_weight = part.weight;
    divide(part, metrics, by, level + 1, peers_of[i], seed);
    for (const Part& below : part.parts) {
      part.total_weight += below.total_weight;
    }
  }
  std::stable_sort(node.parts.begin(), node.parts.end());
}

bool contains(const std::vector<PeerId>& peers, const PeerId& peer) {
  return std::find(peers.begin(), peers.end(), peer) != peers.end();
}

// The metrics of some peers only.
MetricsSet only(const MetricsSet& metrics, const std::vector<PeerId>& peers) {
  MetricsSet out;
  for (const auto& [name, list] : metrics) {
    for (const api::Metric& metric : list) {
      if (contains(peers, metric.peer)) {
        out[name].push_back(metric);
      }
    }
  }
  return out;
}

// Peers that have all metrics, in order of their IDs.
std::vector<PeerId> complete_peers(const MetricsSet& metrics, const std::vector<std::string>& by) {
  std::map<PeerId, size_t> count;
  const std::set<std::string> names(by.begin(), by.end());
  for (const std::string& name : names) {
    const auto found = metrics.find(name);
    if (found == metrics.end()) {
      return {};
    }
    for (const api::Metric& metric : found->second) {
      ++count[metric.peer];
    }
  }
  std::vector<PeerId> out;
  for (const auto& [peer, n] : count) {
    if (n == names.size()) {
      out.push_back(peer);
    }
  }
  return out;
}

}  // namespace

std::vector<PeerId> order(const MetricsSet& metrics, const std::vector<std::string>& allocate_by,
                          std::string_view spread) {
  const std::vector<PeerId> peers = complete_peers(metrics, allocate_by);
  Part root;
  const uint64_t seed = spread.empty() ? 0 : std::hash<std::string_view>{}(spread);
  divide(root, metrics, allocate_by, 0, std::set<PeerId>(peers.begin(), peers.end()), seed);
  std::vector<PeerId> out;
  PeerId next;
  while (root.take(next)) {
    out.push_back(next);
  }
  return out;
}

Result<std::vector<PeerId>> allocate(const Request& request, const MetricsSet& metrics,
                                     const std::vector<std::string>& allocate_by) {
  if (request.replication_min + request.replication_max == 0) {
    return fail(Code::InvalidArgument, "bad replication factors: {}/{}", request.replication_min,
                request.replication_max);
  }
  if (request.replication_min < 0 && request.replication_max < 0) {
    return std::vector<PeerId>();
  }

  std::vector<PeerId> current;
  std::vector<PeerId> priority;
  std::vector<PeerId> candidates;
  const std::vector<PeerId> complete = complete_peers(metrics, allocate_by);
  for (const PeerId& peer : complete) {
    if (contains(request.excluded, peer) || (request.eligible && !request.eligible(peer))) {
      continue;
    }
    if (contains(request.current, peer)) {
      continue;  // below, in the pin's own order
    }
    (contains(request.priority, peer) ? priority : candidates).push_back(peer);
  }
  for (const PeerId& peer : request.current) {
    const bool valid = request.holds ? request.holds(peer) : contains(complete, peer);
    if (valid && !contains(request.excluded, peer) && !contains(current, peer) &&
        (!request.eligible || request.eligible(peer))) {
      current.push_back(peer);
    }
  }

  const int have = static_cast<int>(current.size());
  const int available = static_cast<int>(priority.size() + candidates.size());
  const int needed = request.replication_min - have;
  const int wanted = request.replication_max - have;
  if (wanted < 0) {
    current.resize(static_cast<size_t>(request.replication_max));
    return current;
  }
  // Peers that are away stay on the list as long as the maximum leaves room for them.
  if (needed <= 0 && static_cast<int>(request.current.size()) <= request.replication_max) {
    return request.current;
  }
  if (available < needed) {
    return fail(Code::Conflict,
                "not enough peers to allocate CID. Needed at least: {}. Wanted at most: {}. "
                "Available candidates: {}. See logs for more info.",
                needed, wanted, available);
  }
  std::vector<PeerId> fresh = order(only(metrics, priority), allocate_by, request.spread);
  for (PeerId& peer : order(only(metrics, candidates), allocate_by, request.spread)) {
    fresh.push_back(std::move(peer));
  }
  const size_t use = std::min(static_cast<size_t>(wanted), fresh.size());
  current.insert(current.end(), fresh.begin(), fresh.begin() + static_cast<ptrdiff_t>(use));
  return current;
}

}  // namespace ica::allocator
