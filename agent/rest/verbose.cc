#include "agent/rest/verbose.h"

namespace ica::rest {
namespace {

void write_time(JsonWriter& json, std::string_view key, Time time) {
  json.key(key).string(time.is_zero() ? "" : time.utc().rfc3339());
}

std::string detail_of(const std::string& self, const tracker::LocalStatus& local, Time now) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key(self).begin_object();
  json.key("reason").string(ipfs::to_string(local.reason));
  json.key("attempts").number(local.attempt_count);
  write_time(json, "next_attempt", local.next_attempt);
  write_time(json, "last_progress", local.last_progress);
  json.key("nodes").number(local.progress.nodes);
  json.key("bytes").number(local.progress.bytes);
  uint64_t rate = 0;
  if (local.status == api::TrackerStatus::Pinning) {
    const double seconds = std::chrono::duration<double>(now.since(local.timestamp)).count();
    rate = seconds > 0 ? static_cast<uint64_t>(static_cast<double>(local.progress.bytes) / seconds)
                       : 0;
  }
  json.key("bytes_per_second").number(rate);
  json.end_object();
  json.end_object();
  return out;
}

class VerboseStream final : public cluster::Stream<VerboseInfo> {
 public:
  VerboseStream(const cluster::Cluster& cluster, cluster::StreamPtr<api::GlobalPinInfo> items)
      : cluster_(cluster), items_(std::move(items)) {}

  Task<Result<std::vector<VerboseInfo>>> next() override {
    auto page = co_await items_->next();
    if (!page) {
      co_return fail(std::move(page.error()));
    }
    std::vector<VerboseInfo> out;
    out.reserve(page->size());
    for (api::GlobalPinInfo& info : *page) {
      out.push_back(verbose(cluster_, std::move(info)));
    }
    co_return out;
  }

 private:
  const cluster::Cluster& cluster_;
  cluster::StreamPtr<api::GlobalPinInfo> items_;
};

}  // namespace

void write_json(JsonWriter& json, const VerboseInfo& info) {
  std::string& out = json.begin_raw();
  out += api::to_json(info.info);
  if (!info.detail.empty()) {
    out.pop_back();
    out += ",\"detail\":" + info.detail + "}";
  }
}

VerboseInfo verbose(const cluster::Cluster& cluster, api::GlobalPinInfo info) {
  VerboseInfo out;
  const std::string self = cluster.self().text();
  if (info.peer_map.contains(self)) {
    if (const auto local = cluster.own_detail(info.cid)) {
      out.detail = detail_of(self, *local, Time::now());
    }
  }
  out.info = std::move(info);
  return out;
}

cluster::StreamPtr<VerboseInfo> verbose(const cluster::Cluster& cluster,
                                        cluster::StreamPtr<api::GlobalPinInfo> items) {
  return std::make_unique<VerboseStream>(cluster, std::move(items));
}

}  // namespace ica::rest
