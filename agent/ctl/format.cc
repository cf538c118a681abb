#include "agent/ctl/format.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>

#include "agent/ctl/text.h"
#include "common/api/status.h"
#include "common/base/ascii.h"

namespace ica::ctl {
namespace {

using Json = nlohmann::json;

// Documents come from a scanner that has checked them; an impossible one prints as empty.
Json parse(std::string_view json) {
  return Json::parse(json, nullptr, false);
}

const Json& at(const Json& object, std::string_view key) {
  static const Json kNull;
  if (!object.is_object()) {
    return kNull;
  }
  const auto found = object.find(key);
  return found == object.end() ? kNull : *found;
}

std::string text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : std::string();
}
std::string text(const Json& object, std::string_view key) {
  return text(at(object, key));
}

int64_t number(const Json& object, std::string_view key) {
  const Json& value = at(object, key);
  return value.is_number() ? value.get<int64_t>() : 0;
}

double real(const Json& object, std::string_view key) {
  const Json& value = at(object, key);
  return value.is_number() ? value.get<double>() : 0;
}

std::vector<std::string> sorted_texts(const Json& list) {
  std::vector<std::string> out;
  for (const Json& item : list.is_array() ? list : Json::array()) {
    out.push_back(text(item));
  }
  std::sort(out.begin(), out.end());
  return out;
}

// Members in the order of their keys' bytes (nlohmann::json keeps them so).
const Json& members(const Json& value) {
  static const Json kNone = Json::object();
  return value.is_object() ? value : kNone;
}

std::string addresses(const Json& list) {
  std::string out;
  for (const std::string& address : sorted_texts(list)) {
    out += fmt::format("    - {}\n", address);
  }
  return out;
}

std::string status_name(const Json& info) {
  const auto status = api::parse_tracker_status(text(info, "status"));
  return ascii_upper(api::to_string(status.value_or(api::TrackerStatus::Undefined)));
}

std::string go_date(const Json& object, std::string_view key, std::string_view when_zero) {
  const auto time = Time::parse(text(object, key));
  return !time || time->is_zero() ? std::string(when_zero) : date_time(*time);
}

}  // namespace

std::string format_id(std::string_view json) {
  const Json id = parse(json);
  const std::string peer = text(id, "id");
  if (const std::string error = text(id, "error"); !error.empty()) {
    return fmt::format("{} | ERROR: {}\n", peer, error);
  }
  const Json& peers = at(id, "cluster_peers");
  const Json& ipfs = at(id, "ipfs");
  std::string out =
      fmt::format("{} | {} | Sees {} other peers\n  > Addresses:\n{}", peer, text(id, "peername"),
                  static_cast<int64_t>(peers.is_array() ? peers.size() : 0) - 1,
                  addresses(at(id, "addresses")));
  if (const std::string error = text(ipfs, "error"); !error.empty()) {
    return out + fmt::format("  > IPFS ERROR: {}\n", error);
  }
  return out + fmt::format("  > IPFS: {}\n{}", text(ipfs, "id"), addresses(at(ipfs, "addresses")));
}

std::string format_pin(std::string_view json) {
  const Json pin = parse(json);
  const bool direct = text(pin, "mode") == "direct";
  const int64_t min = number(pin, "replication_factor_min");
  const int64_t max = number(pin, "replication_factor_max");
  const bool everywhere = min == -1 && max == -1;
  const int64_t depth = number(pin, "max_depth");
  const Json& metadata = at(pin, "metadata");
  return fmt::format(
      "{} | {} | {}{} | Repl. Factor: {} | Allocations: [{}] | {} | Metadata: {} | Exp: {} | "
      "Added: {}\n",
      text(pin, "cid"), text(pin, "name"), ascii_upper(text(pin, "type")), direct ? "-DIRECT" : "",
      everywhere ? "-1" : fmt::format("{}--{}", min, max),
      everywhere ? "everywhere"
                 : fmt::format("{}", fmt::join(sorted_texts(at(pin, "allocations")), " ")),
      depth == 0    ? "Direct"
      : depth == -1 ? "Recursive"
                    : fmt::format("Recursive-{}", depth),
      metadata.is_object() && !metadata.empty() ? "yes" : "no", go_date(pin, "expire_at", "∞"),
      go_date(pin, "timestamp", "unknown"));
}

std::string format_global_pin_info(std::string_view json) {
  const Json info = parse(json);
  const std::string name = text(info, "name");
  std::string out = fmt::format("{}{}{}:\n", text(info, "cid"), name.empty() ? "" : " | ", name);
  for (const auto& [peer, status] : members(at(info, "peer_map")).items()) {
    const std::string peername = text(status, "peername");
    const std::string error = text(status, "error");
    out += fmt::format("    > {} : {}{}{} | {} | Attempts: {} | Priority: {}\n",
                       pad_right(peername.empty() ? peer : peername, 20), status_name(status),
                       error.empty() ? "" : ": ", error, text(status, "timestamp"),
                       number(status, "attempt_count"), at(status, "priority_pin") == true);
  }
  return out;
}

std::string format_verbose_pin_info(std::string_view json) {
  std::string out = format_global_pin_info(json);
  const Json info = parse(json);
  for (const auto& [peer, detail] : members(at(info, "detail")).items()) {
    const std::string name = text(at(at(info, "peer_map"), peer.c_str()), "peername");
    const std::string reason = text(detail, "reason");
    const std::string next = text(detail, "next_attempt");
    const std::string progress = text(detail, "last_progress");
    const auto bytes = [&detail](const char* key) {
      return humanize_bytes(static_cast<uint64_t>(std::max<int64_t>(number(detail, key), 0)));
    };
    out += fmt::format(
        "      {} : {}{} tries{}{}\n", pad_right(name.empty() ? peer : name, 20),
        reason.empty() ? "" : reason + ", ", number(detail, "attempts"),
        next.empty() ? "" : ", next at " + next,
        progress.empty() ? ""
                         : fmt::format(", {} nodes, {}, {}/s, last at {}", number(detail, "nodes"),
                                       bytes("bytes"), bytes("bytes_per_second"), progress));
  }
  return out;
}

std::string format_version(std::string_view json) {
  return text(parse(json), "version") + "\n";
}

std::string format_metric_names(std::string_view json) {
  const Json names = parse(json);
  std::string out;
  for (const Json& name : names.is_array() ? names : Json::array()) {
    out += text(name) + "\n";
  }
  return out;
}

std::string format_metrics(std::string_view json, Time now) {
  const Json metrics = parse(json);
  std::string out;
  for (const Json& metric : metrics.is_array() ? metrics : Json::array()) {
    const std::string name = text(metric, "name");
    const int64_t weight = number(metric, "weight");
    out += fmt::format("{} | {}: {} | Expires in: {}\n", text(metric, "peer"), name,
                       name == "freespace" && weight > 0
                           ? humanize_bytes(static_cast<uint64_t>(weight))
                           : text(metric, "value"),
                       relative_time(Time::from_unix_nanos(number(metric, "expire")), now));
  }
  return out;
}

std::string format_alerts(std::string_view json, Time now) {
  const Json alerts = parse(json);
  std::string out;
  for (const Json& alert : alerts.is_array() ? alerts : Json::array()) {
    out += fmt::format(
        "{}: {}. Expired at: {}. Triggered at: {}\n", text(alert, "peer"), text(alert, "name"),
        relative_time(Time::from_unix_nanos(number(alert, "expire")), now),
        relative_time(Time::parse(text(alert, "triggered_at")).value_or(Time()), now));
  }
  return out;
}

std::string format_bandwidth(std::string_view json) {
  const Json bandwidth = parse(json);
  const auto size = [](const Json& row, std::string_view key) {
    return pad_left(humanize_bytes(static_cast<uint64_t>(number(row, key))), 7);
  };
  std::string out;
  for (const auto& [protocol, row] : members(bandwidth).items()) {
    out += fmt::format("{}: In: {}. Out: {}. RateIn: {:.2f}B/s. RateOut: {:.2f}B/s\n",
                       pad_left(protocol, 25), size(row, "total_in"), size(row, "total_out"),
                       real(row, "rate_in"), real(row, "rate_out"));
  }
  return out;
}

std::string format_pinsets(std::string_view json) {
  const Json own = parse(json);
  std::string out;
  const auto line = [&out](const Json& row, std::string_view note) {
    const int64_t pending = number(row, "pending");
    out += fmt::format("{} | {} | {} pins | height {}{}{}\n", text(row, "peer"),
                       text(row, "digest"), number(row, "pins"), number(row, "height"),
                       pending > 0 ? fmt::format(" | {} pending", pending) : "", note);
  };
  line(own, "");
  const Json& peers = at(own, "peers");
  for (const Json& peer : peers.is_array() ? peers : Json::array()) {
    line(peer, text(peer, "digest") == text(own, "digest") ? "" : " | DIFFERS");
  }
  return out;
}

std::string format_repo_gc(std::string_view json) {
  const Json answer = parse(json);
  std::string out;
  for (const auto& [peer, gc] : members(at(answer, "peer_map")).items()) {
    const std::string peername = text(gc, "peername");
    const std::string error = text(gc, "error");
    out += pad_right(peername.empty() ? peer : peername, 15);
    out += error.empty() ? "\n" : fmt::format(" | ERROR: {}\n", error);
    out += "  > CIDs:\n";
    const Json& keys = at(gc, "keys");
    for (const Json& key : keys.is_array() ? keys : Json::array()) {
      const std::string key_error = text(key, "error");
      out += key_error.empty() ? fmt::format("    - {}\n", text(key, "key"))
                               : fmt::format("    - ERROR: {}\n", key_error);
    }
  }
  return out;
}

std::string format_added(std::string_view json) {
  const Json added = parse(json);
  return fmt::format("added {} {}\n", text(added, "cid"), text(added, "name"));
}

std::string format_added_quiet(std::string_view json) {
  return text(parse(json), "cid") + "\n";
}

std::string json_text(std::string_view json, std::string_view key) {
  return text(parse(json), key);
}
int64_t json_number(std::string_view json, std::string_view key) {
  return number(parse(json), key);
}

std::vector<std::string> peer_statuses(std::string_view json) {
  const Json info = parse(json);
  std::vector<std::string> out;
  for (const auto& [peer, status] : members(at(info, "peer_map")).items()) {
    out.push_back(text(status, "status"));
  }
  return out;
}

}  // namespace ica::ctl
