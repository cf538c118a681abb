#include "agent/cluster/peer_states.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/json_writer.h"

namespace ica::cluster {
namespace {

constexpr size_t kMaxText = 64 << 10;

int64_t millis(Time time) {
  return time.unix_nanos() / 1'000'000;
}

int64_t millis(Duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

void write_orders(JsonWriter& json, const PeerOrders& orders) {
  json.begin_object();
  for (const auto& [peer, order] : orders) {
    json.key(peer.text()).begin_object();
    json.key("mode").string(to_string(order.mode));
    json.key("at").number(order.at);
    json.end_object();
  }
  json.end_object();
}

PeerOrders read_orders(const nlohmann::json& object) {
  PeerOrders out;
  if (!object.is_object()) {
    return out;
  }
  for (const auto& [key, value] : object.items()) {
    auto peer = PeerId::parse(key);
    if (!peer || !value.is_object() || out.size() >= PeerStates::kMaxOrders) {
      continue;
    }
    const auto mode = value.find("mode");
    const auto at = value.find("at");
    if (mode == value.end() || !mode->is_string() || at == value.end() ||
        !at->is_number_integer()) {
      continue;
    }
    if (const auto parsed = parse_peer_mode(mode->get_ref<const std::string&>())) {
      out.emplace(std::move(*peer), PeerOrder{*parsed, at->get<int64_t>()});
    }
  }
  return out;
}

nlohmann::json read_object(std::string_view text) {
  if (text.size() > kMaxText) {
    return {};
  }
  auto json = nlohmann::json::parse(text, nullptr, false);
  return json.is_object() ? json : nlohmann::json();
}

}  // namespace

std::string_view to_string(PeerMode mode) {
  switch (mode) {
    case PeerMode::Active:
      return "active";
    case PeerMode::Cordoned:
      return "cordoned";
    case PeerMode::Draining:
      return "draining";
  }
  ICA_UNREACHABLE();
}

Result<PeerMode> parse_peer_mode(std::string_view text) {
  for (const PeerMode mode : {PeerMode::Active, PeerMode::Cordoned, PeerMode::Draining}) {
    if (text == to_string(mode)) {
      return mode;
    }
  }
  return fail(Code::InvalidArgument, "unknown peer mode \"{}\"", text);
}

std::string encode_agent(const AgentValue& value) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("mode").string(to_string(value.mode));
  json.key("decides").boolean(value.decides);
  if (!value.orders.empty()) {
    json.key("orders");
    write_orders(json, value.orders);
  }
  json.end_object();
  return out;
}

AgentValue decode_agent(std::string_view text) {
  AgentValue out;
  const auto json = read_object(text);
  if (!json.is_object()) {
    return out;
  }
  if (const auto mode = json.find("mode"); mode != json.end() && mode->is_string()) {
    out.mode = parse_peer_mode(mode->get_ref<const std::string&>()).value_or(PeerMode::Active);
  }
  if (const auto decides = json.find("decides"); decides != json.end() && decides->is_boolean()) {
    out.decides = decides->get<bool>();
  }
  if (const auto orders = json.find("orders"); orders != json.end()) {
    out.orders = read_orders(*orders);
  }
  return out;
}

PeerMode PeerStates::mode_of(const PeerId& peer) const {
  const std::lock_guard lock(mutex_);
  const auto found = orders_.find(peer);
  return found == orders_.end() ? PeerMode::Active : found->second.mode;
}

PeerOrders PeerStates::orders() const {
  const std::lock_guard lock(mutex_);
  return orders_;
}

Status PeerStates::set(const PeerId& peer, PeerMode mode, Time now) {
  const std::lock_guard lock(mutex_);
  const auto found = orders_.find(peer);
  if (found == orders_.end()) {
    if (orders_.size() >= kMaxOrders) {
      return fail(Code::Busy, "there are orders for {} peers already", orders_.size());
    }
    orders_.emplace(peer, PeerOrder{mode, millis(now)});
    return {};
  }
  found->second = {mode, std::max(millis(now), found->second.at + 1)};
  return {};
}

bool PeerStates::adopt(const PeerOrders& orders, Time now) {
  bool news = false;
  const std::lock_guard lock(mutex_);
  for (const auto& [peer, order] : orders) {
    if (order.at > millis(now) + millis(kMaxAhead)) {
      continue;
    }
    const auto found = orders_.find(peer);
    if (found == orders_.end()) {
      const bool old = order.at < millis(now) - millis(kForget);
      if (orders_.size() < kMaxOrders && !(old && order.mode == PeerMode::Active)) {
        orders_.emplace(peer, order);
        news = true;
      }
    } else if (order.at > found->second.at ||
               (order.at == found->second.at && order.mode > found->second.mode)) {
      found->second = order;
      news = true;
    }
  }
  return news;
}

void PeerStates::forget_old(Time now) {
  const std::lock_guard lock(mutex_);
  std::erase_if(orders_, [&](const auto& entry) {
    return entry.second.mode == PeerMode::Active && entry.second.at < millis(now) - millis(kForget);
  });
}

std::string PeerStates::encode() const {
  std::string out;
  JsonWriter json(out);
  write_orders(json, orders());
  return out;
}

void PeerStates::load(std::string_view text) {
  PeerOrders read = read_orders(read_object(text));
  const std::lock_guard lock(mutex_);
  orders_ = std::move(read);
}

}  // namespace ica::cluster
