#include "agent/config/environment.h"

#include <algorithm>
#include <regex>
#include <set>
#include <unistd.h>

#include "agent/config/value.h"
#include "common/base/file.h"

extern char** environ;

namespace ica::config {
namespace {

constexpr size_t kMaxSecretBytes = 1 << 20;

Result<std::optional<std::string>> secret_file(const Environment& environment,
                                               const std::string& name) {
  const auto file = environment.find(name + "_FILE");
  if (file == environment.end() || file->second.empty()) {
    return std::optional<std::string>();
  }
  if (environment.count(name) != 0) {
    return fail(Code::InvalidArgument, "{} and {}_FILE are both set: keep one of them", name, name);
  }
  TRY(auto text, read_file(file->second, kMaxSecretBytes).context("{}_FILE", name));
  return std::optional<std::string>(std::move(text));
}

// Names that others read: the reference's client, its databases and its second consensus, the
// chart.
bool read_elsewhere(std::string_view name) {
  static const std::regex kPattern(
      "CLUSTER_(CREDENTIALS|ID|ID_FILE|PRIVATEKEY|PRIVATEKEY_FILE|BOOTSTRAP.*"
      "|(PEBBLE|LEVELDB|BADGER|BADGER3|RAFT|NUMPIN)_.*"
      // What Kubernetes sets for a service with the name "cluster".
      "|(.*_)?SERVICE_HOST|(.*_)?SERVICE_PORT.*|(.*_)?PORT(_[0-9]+_(TCP|UDP).*)?)");
  return std::regex_match(name.begin(), name.end(), kPattern);
}

std::string without_underscores(std::string_view name) {
  std::string plain;
  std::copy_if(name.begin(), name.end(), std::back_inserter(plain),
               [](char c) { return c != '_'; });
  return plain;
}

}  // namespace

Environment process_environment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos) {
      environment.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return environment;
}

Result<std::optional<std::string>> secret_from_environment(const Environment& environment,
                                                           const std::string& name) {
  TRY(auto file, secret_file(environment, name));
  if (file) {
    while (!file->empty() && (file->back() == '\n' || file->back() == '\r')) {
      file->pop_back();
    }
    return file;
  }
  const auto found = environment.find(name);
  return found == environment.end() ? std::nullopt : std::optional<std::string>(found->second);
}

Status apply_environment(const Environment& environment, Config& config, Strings& warnings) {
  std::set<std::string, std::less<>> known;
  std::map<std::string, std::string> meant;
  for (const auto& section : sections()) {
    for (const auto& field : section.fields) {
      const std::string name = env_name(section, field);
      known.insert(name);
      meant.emplace(without_underscores(name), name);
      if (field.secret) {
        known.insert(name + "_FILE");
        TRY(const auto text, secret_file(environment, name));
        if (text) {
          TRY_VOID(value_from_file(section, field, *text, config).context("{}_FILE", name));
          continue;
        }
      }
      if (const auto found = environment.find(name); found != environment.end()) {
        TRY_VOID(value_from_env(section, field, found->second, config));
      }
    }
  }
  for (const auto& [name, value] : environment) {
    if (!name.starts_with("CLUSTER_") || known.count(name) != 0 || read_elsewhere(name)) {
      continue;
    }
    const auto guess = meant.find(without_underscores(name));
    warnings.push_back(guess == meant.end()
                           ? fmt::format("environment variable {} is not known and not used", name)
                           : fmt::format("environment variable {} is not known and not used; is {} "
                                         "meant?",
                                         name, guess->second));
  }
  return {};
}

}  // namespace ica::config
