#include "agent/config/service_json.h"

#include <set>

#include "agent/config/value.h"
#include "common/base/file.h"

namespace ica::config {
namespace {

constexpr int kMaxDepth = 32;

Result<Json> parse_json(std::string_view text) {
  if (text.size() > kMaxServiceBytes) {
    return fail(Code::TooLarge, "service.json has {} bytes, more than {}", text.size(),
                kMaxServiceBytes);
  }
  bool too_deep = false;
  const auto guard = [&too_deep](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || depth > kMaxDepth;
    return !too_deep;
  };
  const auto deep = [] { return fail(Code::InvalidArgument, "service.json is nested too deeply"); };
  try {
    Json json = Json::parse(text, guard);
    if (too_deep) {
      return deep();
    }
    if (!json.is_object()) {
      return fail(Code::InvalidArgument, "service.json is not a JSON object");
    }
    return json;
  } catch (const Json::exception& e) {
    if (too_deep) {
      return deep();
    }
    return fail(Code::InvalidArgument, "service.json is not valid JSON: {}", e.what());
  }
}

// The member, or null when it is missing or null, which Go does not tell apart.
const Json* member(const Json& object, std::string_view key) {
  if (!object.is_object()) {
    return nullptr;
  }
  const auto found = object.find(std::string(key));
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

const Json* section_of(const Json& root, const Section& section) {
  const Json* group = section.group.empty() ? &root : member(root, section.group);
  return group == nullptr ? nullptr : member(*group, section.key);
}

Status read_field(const Section& section, const Field& field, const Json& object, Config& config) {
  const Json* parent = &object;
  std::string_view key = field.key;
  if (const size_t dot = key.find('.'); dot != std::string_view::npos) {
    parent = member(object, key.substr(0, dot));
    if (parent == nullptr) {
      return {};  // without the object around them, Go keeps the defaults of all its keys
    }
    if (!parent->is_object()) {
      return fail(Code::InvalidArgument,
                  "error parsing {}.{}: found something else where an object is needed",
                  section.key, key.substr(0, dot));
    }
    key.remove_prefix(dot + 1);
  }
  const Json* value = member(*parent, key);
  if (value != nullptr) {
    return value_from_json(section, field, *value, config);
  }
  // Absent durations keep their defaults whatever the table says, as empty texts do.
  if (field.absent == Absent::Zero) {
    value_to_zero(field, config);
  }
  return {};
}

// Keys of each object that we read; what is outside is somebody else's and kept.
struct Known {
  std::set<std::string, std::less<>> top;
  std::map<std::string, std::set<std::string, std::less<>>, std::less<>> groups;
};

const Known& known_keys() {
  static const Known known = [] {
    Known k;
    k.top = {"source", "datastore"};
    for (const auto& section : sections()) {
      k.top.emplace(section.group.empty() ? section.key : section.group);
      if (!section.group.empty()) {
        k.groups[std::string(section.group)].emplace(section.key);
      }
    }
    return k;
  }();
  return known;
}

std::set<std::string, std::less<>> known_in(const Section& section, std::string_view nested) {
  std::set<std::string, std::less<>> keys;
  for (const auto& field : section.fields) {
    const size_t dot = field.key.find('.');
    if (nested.empty()) {
      keys.emplace(field.key.substr(0, dot));
    } else if (dot != std::string_view::npos && field.key.substr(0, dot) == nested) {
      keys.emplace(field.key.substr(dot + 1));
    }
  }
  if (section.key == "cluster" && nested.empty()) {
    keys.insert({"id", "private_key"});  // of old files; identity.cc reads them
  }
  return keys;
}

void warn_unknown(const Json& object, const std::set<std::string, std::less<>>& known,
                  const std::string& where, Strings& warnings) {
  for (const auto& [key, value] : object.items()) {
    if (known.count(key) == 0) {
      warnings.push_back(
          fmt::format("service.json: {}{} is not known; it is kept and not used", where, key));
    }
  }
}

void warn_unknown_in_section(const Section& section, const Json& json, Strings& warnings) {
  const std::string where = fmt::format("{}.", section.key);
  warn_unknown(json, known_in(section, {}), where, warnings);
  for (const auto& [key, value] : json.items()) {
    const auto nested = known_in(section, key);
    if (!nested.empty() && value.is_object()) {
      warn_unknown(value, nested, where + key + ".", warnings);
    }
  }
}

void warn_unknown_outside(const Json& root, Strings& warnings) {
  const Known& known = known_keys();
  warn_unknown(root, known.top, "", warnings);
  for (const auto& [group, keys] : known.groups) {
    const Json* object = member(root, group);
    if (object != nullptr && object->is_object()) {
      auto all = keys;
      if (group == "consensus") {
        all.insert("raft");
      }
      warn_unknown(*object, all, group + ".", warnings);
    }
  }
}

Status refuse_what_we_lack(const Json& root) {
  if (const Json* source = member(root, "source");
      source != nullptr && source->is_string() && !source->get_ref<const std::string&>().empty()) {
    return fail(
        Code::Unsupported,
        "the configuration is to be fetched from {}, which this program does not do: download it "
        "and put it into service.json",
        source->get_ref<const std::string&>());
  }
  const Json* consensus = member(root, "consensus");
  const bool crdt = consensus != nullptr && member(*consensus, "crdt") != nullptr;
  const bool raft = consensus != nullptr && member(*consensus, "raft") != nullptr;
  if (raft && !crdt) {
    return fail(Code::Unsupported,
                "this folder is set up for the raft consensus, which this program does not offer: "
                "export the "
                "state with the peer that made it, run init --consensus crdt and import the state");
  }
  if (!crdt) {
    return fail(Code::InvalidArgument, "consensus.crdt is missing in service.json");
  }
  return {};
}

std::string datastore_name(const Json& root) {
  const Json* datastore = member(root, "datastore");
  return datastore != nullptr && datastore->is_object() && datastore->size() == 1
             ? datastore->begin().key()
             : std::string();
}

}  // namespace

Result<Config> parse_service_json(std::string_view text, Strings& warnings) {
  TRY(const Json root, parse_json(text));
  TRY_VOID(refuse_what_we_lack(root));
  Config config;
  bool allocator_given = false;
  for (const auto& section : sections()) {
    const Json* json = section_of(root, section);
    if (section.enabled != nullptr) {
      *section.enabled(config) = json != nullptr;
    }
    if (json == nullptr) {
      if (section.key == "cluster") {
        return fail(Code::InvalidArgument,
                    "cluster section failed to validate: cluster.listen_multiaddress is undefined");
      }
      continue;
    }
    if (!json->is_object()) {
      return fail(Code::InvalidArgument, "{} in service.json is not an object", section.key);
    }
    allocator_given = allocator_given || section.group == "allocator";
    for (const auto& field : section.fields) {
      TRY_VOID(read_field(section, field, *json, config));
    }
    warn_unknown_in_section(section, *json, warnings);
  }
  if (!allocator_given) {
    config.allocator.allocate_by = {"freespace"};  // as the reference does for old files
  }
  config.datastore.name = datastore_name(root);
  warn_unknown_outside(root, warnings);
  TRY_VOID(validate(config));
  return config;
}

Status validate(const Config& config) {
  for (const auto& section : sections()) {
    for (const auto& field : section.fields) {
      TRY_VOID(check_value(field, config));
    }
    if (section.check != nullptr) {
      TRY_VOID(section.check(config));
    }
  }
  return {};
}

Result<Loaded> load_config(const std::filesystem::path& folder, const Environment& environment) {
  TRY(const auto text, read_file(folder / kServiceFile, kMaxServiceBytes));
  Loaded loaded;
  TRY(loaded.config, parse_service_json(text, loaded.warnings));
  loaded.config.folder = folder;
  TRY_VOID(apply_environment(environment, loaded.config, loaded.warnings));
  TRY_VOID(validate(loaded.config));
  if (loaded.config.cluster.secret.empty()) {
    loaded.warnings.emplace_back(
        "Cluster secret is empty, cluster will start on unprotected network.");
  }
  return loaded;
}

Status save_config(const Config& config) {
  TRY_VOID(validate(config));
  std::error_code error;
  if (!std::filesystem::exists(config.folder, error)) {
    std::filesystem::create_directories(config.folder, error);
    if (error) {
      return fail(Code::Io, "mkdir {}: {}", config.folder.string(), error.message());
    }
    std::filesystem::permissions(config.folder, std::filesystem::perms::owner_all, error);
  }
  return write_file(config.folder / kServiceFile, to_service_json(config), 0600);
}

}  // namespace ica::config
