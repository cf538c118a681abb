#include "agent/pinsvc/pin_list.h"

#include <algorithm>

#include "common/base/offload.h"

namespace ica::pinsvc {
namespace {

constexpr size_t kSideBySide = 16;

// A sharded upload's meta pin has no status of its own; its parts are listed.
constexpr uint64_t kListedTypes = static_cast<uint64_t>(api::PinType::Data) |
                                  static_cast<uint64_t>(api::PinType::ClusterDag) |
                                  static_cast<uint64_t>(api::PinType::Shard);

// The newest of what it is given, at most `limit`.
template <typename T>
class Newest {
 public:
  explicit Newest(size_t limit) : limit_(limit) {}

  void add(Time created, Cid cid, T item) {
    if (limit_ == 0) {
      return;
    }
    entries_.push_back({created, std::move(cid), std::move(item)});
    std::push_heap(entries_.begin(), entries_.end(), newer);
    if (entries_.size() > limit_) {
      std::pop_heap(entries_.begin(), entries_.end(), newer);
      entries_.pop_back();
    }
  }
  // Newest first.
  std::vector<T> take() {
    std::sort_heap(entries_.begin(), entries_.end(), newer);
    std::vector<T> out;
    out.reserve(entries_.size());
    for (Entry& entry : entries_) {
      out.push_back(std::move(entry.item));
    }
    return out;
  }

 private:
  struct Entry {
    Time created;
    Cid cid;
    T item;
  };
  static bool newer(const Entry& a, const Entry& b) {
    return a.created != b.created ? a.created > b.created : a.cid < b.cid;
  }

  const size_t limit_;
  std::vector<Entry> entries_;  // a heap with the oldest in front
};

using Infos = std::vector<Result<api::GlobalPinInfo>>;

// In the order of `cids`.
Task<Infos> ask_all(cluster::Cluster& cluster, std::vector<Cid> cids, StopToken stop) {
  Infos out;
  out.reserve(cids.size());
  size_t asked = 0;
  while (asked < cids.size()) {
    std::vector<Task<Result<api::GlobalPinInfo>>> tasks;
    for (; asked < cids.size() && tasks.size() < kSideBySide; ++asked) {
      tasks.push_back(cluster.status(cids[asked], stop));
    }
    Infos answers = co_await gather(std::move(tasks));
    for (auto& answer : answers) {
      out.push_back(std::move(answer));
    }
  }
  co_return out;
}

// The reference looks at nothing but the CIDs here; the other filters of the specification hold
// for them as well.
Task<Result<PinList>> list_of_cids(cluster::Cluster& cluster, ListQuery query, StopToken stop) {
  Infos infos = co_await ask_all(cluster, query.cids, stop);
  PinList out;
  Newest<api::ServicePinStatus> page(query.limit);
  for (auto& info : infos) {
    if (!info) {
      co_return fail(std::move(info.error()));
    }
    api::ServicePinStatus status = to_service_status(*info);
    const bool shown =
        status.status != api::ServiceStatus::Undefined &&
        (query.statuses == 0 || (query.statuses & static_cast<uint32_t>(status.status)) != 0);
    if (shown && query.wants(status.created) && query.wants(info->name, info->metadata)) {
      ++out.count;
      const Time created = status.created;
      page.add(created, info->cid, std::move(status));
    }
  }
  out.results = page.take();
  co_return out;
}

Task<Result<PinList>> list_of_pinset(cluster::Cluster& cluster, ListQuery query, StopToken stop) {
  PinList out;
  Newest<Cid> page(query.limit);
  cluster::PinRange range;
  range.types = kListedTypes;
  if (query.match == Match::Exact && !query.name.empty()) {
    range.name = query.name;
  }
  auto pins = cluster.pins(std::move(range), stop);
  while (true) {
    auto batch = co_await pins->next();
    if (!batch) {
      co_return fail(std::move(batch.error()));
    }
    if (batch->empty()) {
      break;
    }
    for (const api::Pin& pin : *batch) {
      const Time created = listed_time(pin.timestamp, pin.cid);
      if (query.wants(created) && query.wants(pin.options)) {
        ++out.count;
        page.add(created, pin.cid, pin.cid);
      }
    }
  }
  Infos infos = co_await ask_all(cluster, page.take(), stop);
  for (auto& info : infos) {
    if (!info) {
      co_return fail(std::move(info.error()));
    }
    api::ServicePinStatus status = to_service_status(*info);
    if (status.status == api::ServiceStatus::Undefined) {
      --out.count;  // on its way out, as in the reference
    } else {
      out.results.push_back(std::move(status));
    }
  }
  co_return out;
}

Task<Result<PinList>> list_of_statuses(cluster::Cluster& cluster, ListQuery query, StopToken stop) {
  PinList out;
  Newest<api::ServicePinStatus> page(query.limit);
  auto items = cluster.status_all(api::tracker_filter_of(query.statuses), stop);
  while (true) {
    auto batch = co_await items->next();
    if (!batch) {
      co_return fail(std::move(batch.error()));
    }
    if (batch->empty()) {
      break;
    }
    for (const api::GlobalPinInfo& info : *batch) {
      const Time created = listed_time(info.created, info.cid);
      if (query.wants(created) && query.wants(info.name, info.metadata)) {
        ++out.count;
        page.add(created, info.cid, to_service_status(info));
      }
    }
  }
  out.results = page.take();
  co_return out;
}

}  // namespace

Time listed_time(Time created, const Cid& cid) {
  if (created.nanoseconds() != 0 || cid.bytes().size() < 4) {
    return created;
  }
  uint32_t number = 0;
  for (const char c : cid.bytes().substr(cid.bytes().size() - 4)) {
    number = (number << 8) | static_cast<unsigned char>(c);
  }
  // Whole milliseconds: clients in JavaScript know no smaller ones.
  return created.plus(std::chrono::milliseconds(number % 1000));
}

api::ServicePinStatus to_service_status(const api::GlobalPinInfo& info) {
  api::ServicePinStatus out;
  out.request_id = info.cid.text();
  out.status = api::service_status_of(info);
  out.created = listed_time(info.created, info.cid);
  out.pin = {info.cid, info.name, info.origins.items, info.metadata};
  for (const auto& [peer, short_info] : info.peer_map) {
    out.delegates.insert(out.delegates.end(), short_info.ipfs_peer_addresses.begin(),
                         short_info.ipfs_peer_addresses.end());
  }
  return out;
}

Task<Result<PinList>> list_pins(cluster::Cluster& cluster, ListQuery query, StopToken stop) {
  if (!query.cids.empty()) {
    return list_of_cids(cluster, std::move(query), std::move(stop));
  }
  if (query.statuses == 0 || query.statuses == api::kAllServiceStatuses) {
    return list_of_pinset(cluster, std::move(query), std::move(stop));
  }
  return list_of_statuses(cluster, std::move(query), std::move(stop));
}

}  // namespace ica::pinsvc
