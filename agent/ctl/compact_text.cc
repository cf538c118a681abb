#include "agent/ctl/compact_text.h"

#include <algorithm>
#include <fmt/format.h>
#include <vector>

#include "agent/ctl/json_fields.h"
#include "agent/ctl/style.h"
#include "agent/ctl/text.h"
#include "common/base/time.h"

namespace ica::ctl {
namespace {

uint64_t count_of(const Json& object, const char* key) {
  return static_cast<uint64_t>(std::max<int64_t>(number_of(object, key), 0));
}

std::vector<std::string> member_row(const Json& member) {
  const std::string name = text_of(member, "peername");
  const std::string problem = text_of(member, "problem");
  std::vector<std::string> row{name.empty() ? text_of(member, "peer") : name};
  if (!problem.empty() && count_of(member, "changes") == 0) {
    row.insert(row.end(), 3, "-");  // it told nothing
  } else {
    row.push_back(grouped(count_of(member, "pins")));
    row.push_back(grouped(count_of(member, "changes")));
    row.push_back(text_of(member, "digest"));
  }
  row.push_back(problem.empty() ? "yes" : "no: " + problem);
  return row;
}

}  // namespace

std::string format_compact_plan(std::string_view plan, size_t width) {
  const Json json = read_object(plan);
  std::string out = fmt::format(
      "Pins: {}\nChanges in the history: {}, afterwards about {}\nDatabase: {} on disk\n\n",
      grouped(count_of(json, "pins")), grouped(count_of(json, "changes")),
      grouped(count_of(json, "changes_after")), humanize_bytes(count_of(json, "disk_bytes")));
  std::vector<std::vector<std::string>> rows{
      {"PEER", "PINS", "CHANGES", "DIGEST", "CAN TAKE PART"}};
  size_t problems = 0;
  for (const Json& member : list_of(json, "members")) {
    rows.push_back(member_row(member));
    problems += text_of(member, "problem").empty() ? 0 : 1;
  }
  out += table(rows, width) + "\n";
  for (const Json& peer : list_of(json, "without")) {
    out += fmt::format("Left out: {}\n", peer.is_string() ? peer.get<std::string>() : "");
  }
  if (flag_of(json, "possible")) {
    return out + "All of these peers take part.\n";
  }
  return out + fmt::format("Not possible: {} of {} cannot take part.\n", grouped(problems),
                           plural(rows.size() - 1, "peer"));
}

std::string compact_problems(std::string_view plan) {
  const Json json = read_object(plan);
  std::string out;
  for (const Json& member : list_of(json, "members")) {
    if (const std::string problem = text_of(member, "problem"); !problem.empty()) {
      out += fmt::format("{}{}: {}", out.empty() ? "" : "; ", peer_of(member), problem);
    }
  }
  return out;
}

std::string format_compacted(std::string_view status) {
  const Json json = read_object(status);
  const Duration paused = parse_duration(text_of(json, "paused")).value_or(Duration());
  return fmt::format(
      "{} instead of {} on {}; changes waited for {:.1f} s\n",
      plural(count_of(json, "changes_after"), "change"), grouped(count_of(json, "changes_before")),
      plural(count_of(json, "members"), "peer"), std::chrono::duration<double>(paused).count());
}

std::string format_compact_status(std::string_view status) {
  const Json json = read_object(status);
  std::string out = fmt::format("Compaction: {}running, epoch {} of the history\n",
                                flag_of(json, "running") ? "" : "not ", number_of(json, "epoch"));
  if (flag_of(json, "running")) {
    return out + fmt::format("Now: {}\n", text_of(json, "step"));
  }
  if (!flag_of(json, "led")) {
    return out + "This peer has led none since its start.\n";
  }
  const std::string error = text_of(json, "error");
  return out + fmt::format("The last one, {}: {}", text_of(json, "ended"),
                           error.empty() ? format_compacted(status) : error + "\n");
}

}  // namespace ica::ctl
