#include "agent/ctl/summary.h"

#include <algorithm>
#include <fmt/format.h>

#include "agent/ctl/json_fields.h"
#include "agent/ctl/style.h"
#include "agent/ctl/text.h"
#include "common/base/json_writer.h"

namespace ica::ctl {

namespace {

// Longer in the queue than any pin that makes progress.
constexpr Duration kStuck = std::chrono::minutes(10);
// Digests that peers told longer ago say nothing about now.
constexpr std::chrono::seconds kFreshDigest{60};

Json parse(std::string_view json) {
  return Json::parse(json, nullptr, false);
}

bool is_error(std::string_view status) {
  return status.ends_with("_error") || status == "unexpectedly_unpinned" || status == "undefined";
}

}  // namespace

void Summary::add_peer(std::string_view json) {
  const Json peer = parse(json);
  Peer out;
  out.id = text_of(peer, "id");
  out.name = text_of(peer, "peername");
  out.error = text_of(peer, "error");
  if (peer.is_object() && peer.contains("ipfs")) {
    out.ipfs_error = text_of(peer["ipfs"], "error");
  }
  peers_.push_back(std::move(out));
}

void Summary::add_free_space(std::string_view json) {
  for (const Json& metric : parse(json)) {
    for (Peer& peer : peers_) {
      if (peer.id == text_of(metric, "peer")) {
        const int64_t weight = number_of(metric, "weight");
        peer.free = humanize_bytes(static_cast<uint64_t>(std::max<int64_t>(weight, 0)));
      }
    }
  }
}

void Summary::add_alerts(std::string_view json) {
  for (const Json& alert : parse(json)) {
    const std::string line = text_of(alert, "name") + " of " + text_of(alert, "peer");
    if (std::find(alerts_.begin(), alerts_.end(), line) == alerts_.end()) {
      alerts_.push_back(line);
    }
  }
}

void Summary::add_unsettled(std::string_view json) {
  const Json info = parse(json);
  if (!info.is_object() || !info.contains("peer_map") || !info["peer_map"].is_object()) {
    return;
  }
  bool all = true;
  for (const auto& [peer, entry] : info["peer_map"].items()) {
    const std::string status = text_of(entry, "status");
    if (status == "pinned" || status == "remote" || status == "sharded") {
      continue;
    }
    ++statuses_[status];
    all = all && (status == "unpinned" || status.starts_with("unpin"));
    if (status == "pin_queued" || status == "pinning" || status.starts_with("unpin")) {
      const auto since = Time::parse(text_of(entry, "timestamp"));
      if (since && !since->is_zero() && (oldest_queued_.is_zero() || *since < oldest_queued_)) {
        oldest_queued_ = *since;
      }
    }
    if (is_error(status) && examples_.size() < kExamples) {
      const std::string name = text_of(entry, "peername");
      examples_.push_back({text_of(info, "cid"), text_of(info, "name"), name.empty() ? peer : name,
                           status, text_of(entry, "error")});
    }
  }
  under_replicated_ += all ? 0 : 1;
}

bool Summary::add_pinset(std::string_view json) {
  const Json own = parse(json);
  if (text_of(own, "digest").empty()) {
    return false;
  }
  pins_ = static_cast<uint64_t>(std::max<int64_t>(number_of(own, "pins"), 0));
  const auto add = [this](const Json& entry) {
    const bool settled =
        number_of(entry, "pending") == 0 && number_of(entry, "age_seconds") <= kFreshDigest.count();
    digests_[text_of(entry, "peer")] = {text_of(entry, "digest"), settled};
  };
  add(own);
  if (own.contains("peers") && own["peers"].is_array()) {
    for (const Json& entry : own["peers"]) {
      add(entry);
    }
  }
  return true;
}

size_t Summary::unreachable() const {
  return static_cast<size_t>(
      std::count_if(peers_.begin(), peers_.end(), [](const Peer& p) { return !p.error.empty(); }));
}

Duration Summary::queue_age(Time now) const {
  return oldest_queued_.is_zero() ? Duration{} : std::max(now.since(oldest_queued_), Duration{});
}

bool Summary::digests_agree() const {
  const Digest* first = nullptr;
  for (const auto& [peer, digest] : digests_) {
    if (!digest.settled) {
      continue;
    }
    if (first != nullptr && first->value != digest.value) {
      return false;
    }
    first = &digest;
  }
  return true;
}

std::vector<std::string> Summary::complaints(Time now) const {
  std::vector<std::string> out;
  if (peers_.empty()) {
    out.push_back("no peer answered: is the address right? try `ipfs-cluster-ctl id`");
  }
  if (const size_t n = unreachable(); n > 0) {
    out.push_back(plural(n, "peer") + " can't be reached: see `ipfs-cluster-ctl peers ls`");
  }
  for (const Peer& peer : peers_) {
    if (peer.error.empty() && !peer.ipfs_error.empty()) {
      out.push_back(fmt::format("the IPFS daemon of {} does not answer: {}",
                                peer.name.empty() ? peer.id : peer.name, peer.ipfs_error));
    }
  }
  uint64_t errors = 0;
  for (const auto& [status, n] : statuses_) {
    errors += is_error(status) ? n : 0;
  }
  if (errors > 0) {
    out.push_back(
        fmt::format("{} in error: see `ipfs-cluster-ctl status --filter error`, then "
                    "`ipfs-cluster-ctl recover`",
                    errors == 1 ? "1 copy" : fmt::format("{} copies", errors)));
  }
  if (const Duration age = queue_age(now); age > kStuck) {
    out.push_back(
        fmt::format("work has waited for {}: see `ipfs-cluster-ctl status --filter "
                    "queued,pinning`",
                    format_duration(std::chrono::duration_cast<std::chrono::seconds>(age))));
  }
  if (!digests_agree()) {
    out.push_back(
        "peers hold different pinsets: if that lasts, see `ipfs-cluster-ctl health graph`");
  }
  if (!alerts_.empty()) {
    out.push_back(plural(alerts_.size(), "alert") + ": see `ipfs-cluster-ctl health alerts`");
  }
  return out;
}

bool Summary::healthy(Time now) const {
  return complaints(now).empty();
}

std::string Summary::json(Time now) const {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("healthy").boolean(healthy(now));
  json.key("peers").number(peers_.size());
  json.key("peers_unreachable").number(unreachable());
  json.key("pins").number(pins_);
  json.key("under_replicated").number(under_replicated_);
  json.key("unsettled");
  json.begin_object();
  for (const auto& [status, n] : statuses_) {
    json.key(status).number(n);
  }
  json.end_object();
  json.key("queue_age_seconds")
      .number(std::chrono::duration_cast<std::chrono::seconds>(queue_age(now)).count());
  json.key("digests");
  json.begin_object();
  for (const auto& [peer, digest] : digests_) {
    json.key(peer).string(digest.value);
  }
  json.end_object();
  json.key("alerts");
  json.begin_array();
  for (const std::string& alert : alerts_) {
    json.string(alert);
  }
  json.end_array();
  json.key("attention");
  json.begin_array();
  for (const std::string& line : complaints(now)) {
    json.string(line);
  }
  json.end_array();
  json.end_object();
  return out;
}

std::string Summary::text(Time now, size_t width, bool colours) const {
  const auto paint = [colours](std::string_view text, Colour which) {
    return colours ? colour(text, which) : std::string(text);
  };
  const auto limited = [width](const std::string& line) {
    return width == 0 ? line : fit(line, width);
  };
  std::string out;
  const auto found = complaints(now);
  out += found.empty() ? paint("HEALTHY", Colour::Green) : paint("NEEDS ATTENTION", Colour::Red);
  out += "\n\n";

  std::vector<std::vector<std::string>> rows{{"PEER", "STATE", "IPFS", "FREE", "DIGEST"}};
  auto sorted = peers_;  // they come in the order in which they answered
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Peer& a, const Peer& b) { return a.name < b.name; });
  for (const Peer& peer : sorted) {
    const auto digest = digests_.find(peer.id);
    const bool there = peer.error.empty();
    rows.push_back({peer.name.empty() ? peer.id : peer.name, there ? "ok" : "unreachable",
                    !there                    ? "-"
                    : peer.ipfs_error.empty() ? "ok"
                                              : "no answer",
                    peer.free.empty() ? "-" : peer.free,
                    digest == digests_.end() ? "-" : digest->second.value});
  }
  out += table(rows, width);

  out += fmt::format("\nPins: {}", pins_);
  out += under_replicated_ > 0
             ? fmt::format(", {} not yet on all of their peers", under_replicated_)
             : ", all on their peers";
  out += "\n";
  for (const auto& [status, n] : statuses_) {
    const std::string line = fmt::format("  {} {}", pad_right(status, 22), n);
    out += (is_error(status) ? paint(line, Colour::Red) : line) + "\n";
  }
  if (!oldest_queued_.is_zero()) {
    out += fmt::format("Oldest work: {}\n", relative_time(oldest_queued_, now));
  }
  if (!digests_.empty()) {
    out += fmt::format("Pinset digests: {}\n", digests_agree() ? "agree" : "differ");
  }
  for (const Example& e : examples_) {
    out += limited(fmt::format("  {}{}{} at {}: {}{}{}", e.cid, e.name.empty() ? "" : " ", e.name,
                               e.peer, e.status, e.error.empty() ? "" : ": ", e.error)) +
           "\n";
  }
  if (!found.empty()) {
    out += "\nWhat to do next:\n";
    for (const std::string& line : found) {
      out += "  - " + line + "\n";
    }
  }
  return out;
}

}  // namespace ica::ctl
