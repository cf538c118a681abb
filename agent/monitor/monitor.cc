#include "agent/monitor/monitor.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/json_writer.h"

namespace ica::monitor {

bool Monitor::add(api::Metric metric) {
  const Time now = clock_.now();
  if (!metric.valid || metric.expired_at(now)) {
    return false;
  }
  metric.received_at = now.unix_nanos();
  const std::lock_guard lock(mutex_);
  auto by_name = metrics_.find(metric.name);
  if (by_name == metrics_.end()) {
    if (metrics_.size() >= kMaxNames) {
      return false;
    }
    by_name = metrics_.emplace(metric.name, ByPeer()).first;
  }
  ByPeer& peers = by_name->second;
  auto series = peers.find(metric.peer);
  if (series == peers.end()) {
    if (peers.size() >= kMaxPeers) {
      return false;
    }
    series = peers.emplace(metric.peer, Series()).first;
  }
  if (metric.name == kPing) {
    pings_[metric.peer] = decode_ping(metric.value);
  }
  if (series->second.alerted && metric.name == kPing && returned_.size() < kMaxPeers) {
    returned_.push_back(metric.peer);
  }
  series->second.alerted = false;
  series->second.window.push_back(std::move(metric));
  if (series->second.window.size() > kWindow) {
    series->second.window.pop_front();
  }
  return true;
}

std::vector<api::Metric> Monitor::latest(std::string_view name) const {
  const Time now = clock_.now();
  std::vector<api::Metric> out;
  const std::lock_guard lock(mutex_);
  if (const auto found = metrics_.find(name); found != metrics_.end()) {
    for (const auto& [peer, series] : found->second) {
      if (!series.window.back().expired_at(now)) {
        out.push_back(series.window.back());
      }
    }
  }
  return out;
}

std::optional<api::Metric> Monitor::last_of(std::string_view name, const PeerId& peer) const {
  const std::lock_guard lock(mutex_);
  if (const auto found = metrics_.find(name); found != metrics_.end()) {
    if (const auto series = found->second.find(peer); series != found->second.end()) {
      return series->second.window.back();
    }
  }
  return std::nullopt;
}

std::vector<std::string> Monitor::names() const {
  std::vector<std::string> out;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, peers] : metrics_) {
    if (!peers.empty()) {
      out.push_back(name);
    }
  }
  return out;
}

std::vector<Monitor::Seen> Monitor::seen() const {
  std::vector<Seen> out;
  const std::lock_guard lock(mutex_);
  if (const auto found = metrics_.find(kPing); found != metrics_.end()) {
    for (const auto& [peer, series] : found->second) {
      out.push_back({peer, Time::from_unix_nanos(series.window.back().expire)});
    }
  }
  return out;
}

std::vector<PeerId> Monitor::take_returned() {
  const std::lock_guard lock(mutex_);
  return std::exchange(returned_, {});
}

std::vector<PeerId> Monitor::alive() const {
  std::vector<PeerId> out;
  for (const api::Metric& metric : latest(kPing)) {
    out.push_back(metric.peer);
  }
  return out;
}

PingValue Monitor::ping_of(const PeerId& peer) const {
  const std::lock_guard lock(mutex_);
  const auto found = pings_.find(peer);
  return found == pings_.end() ? PingValue() : found->second;
}

std::vector<api::Alert> Monitor::check() {
  const Time now = clock_.now();
  std::vector<api::Alert> fresh;
  const std::lock_guard lock(mutex_);
  for (auto& [name, peers] : metrics_) {
    for (auto& [peer, series] : peers) {
      if (series.alerted || !series.window.back().expired_at(now)) {
        continue;
      }
      series.alerted = true;
      fresh.push_back({series.window.back(), now});
    }
  }
  for (const api::Alert& alert : fresh) {
    alerts_.push_back(alert);
  }
  while (alerts_.size() > kMaxAlerts) {
    alerts_.pop_front();
  }
  return fresh;
}

std::vector<api::Alert> Monitor::alerts() const {
  const std::lock_guard lock(mutex_);
  return {alerts_.rbegin(), alerts_.rend()};
}

void Monitor::forget(const PeerId& peer) {
  const std::lock_guard lock(mutex_);
  for (auto& [name, peers] : metrics_) {
    peers.erase(peer);
  }
  pings_.erase(peer);
}

std::string encode_ping(const PingValue& value) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  if (!value.peername.empty()) {
    json.key("peer_name").string(value.peername);
  }
  if (!value.ipfs_id.empty()) {
    json.key("ipfs_id").string(value.ipfs_id.text());
  }
  if (!value.ipfs_addresses.empty()) {
    json.key("ipfs_addresses").begin_array();
    for (const Multiaddr& address : value.ipfs_addresses) {
      json.string(address.text());
    }
    json.end_array();
  }
  json.end_object();
  return out;
}

PingValue decode_ping(std::string_view text) {
  PingValue out;
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) {
    return out;
  }
  if (const auto name = json.find("peer_name"); name != json.end() && name->is_string()) {
    out.peername = name->get<std::string>();
  }
  if (const auto id = json.find("ipfs_id"); id != json.end() && id->is_string()) {
    if (auto parsed = PeerId::parse(id->get_ref<const std::string&>())) {
      out.ipfs_id = std::move(*parsed);
    }
  }
  if (const auto list = json.find("ipfs_addresses"); list != json.end() && list->is_array()) {
    for (const auto& item : *list) {
      if (!item.is_string()) {
        continue;
      }
      if (auto parsed = Multiaddr::parse(item.get_ref<const std::string&>())) {
        out.ipfs_addresses.push_back(std::move(*parsed));
      }
    }
  }
  return out;
}

}  // namespace ica::monitor
