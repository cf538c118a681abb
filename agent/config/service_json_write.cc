#include <algorithm>

#include "agent/config/datastore_defaults.h"
#include "agent/config/go_indent.h"
#include "agent/config/service_json.h"
#include "agent/config/value.h"

namespace ica::config {
namespace {

constexpr std::string_view kMask = "XXX_hidden_XXX";

// The order of the reference's file.
constexpr std::string_view kTopOrder[] = {
    "cluster",   "consensus", "api",          "ipfs_connector", "pin_tracker", "monitor",
    "allocator", "informer",  "observations", "datastore",      "agent"};

struct Style {
  bool everything = false;  // also keys that are left out when they have their default
  bool masked = false;
};

Json json_value(const Field& field, const Config& config, Style style) {
  std::string text;
  JsonWriter writer(text);
  value_to_json(field, config, writer);
  if (style.masked && field.secret && text != "null" && text != "\"\"") {
    return kMask;
  }
  return Json::parse(text);
}

Json section_json(const Section& section, const Config& config, Style style) {
  static const Config kDefaults;
  Json object = Json::object();
  for (const auto& field : section.fields) {
    if (!style.everything && field.write == Write::UnlessDefault &&
        values_equal(field, config, kDefaults)) {
      continue;
    }
    Json* parent = &object;
    std::string_view key = field.key;
    if (const size_t dot = key.find('.'); dot != std::string_view::npos) {
      parent = &object[std::string(key.substr(0, dot))];
      key.remove_prefix(dot + 1);
    }
    (*parent)[std::string(key)] = json_value(field, config, style);
  }
  return object;
}

bool enabled(const Section& section, const Config& config) {
  return section.enabled == nullptr || *section.enabled(const_cast<Config&>(config));
}

bool is_setting(const Section& section, std::string_view key) {
  return std::any_of(section.fields.begin(), section.fields.end(),
                     [key](const Field& field) { return field.key == key; });
}

// Adds members that only `from` has. Members of `section` that are missing in `to` were left out
// because they have their defaults, so they are not brought back.
void keep_unknown(const Section* section, const std::string& prefix, const Json& from, Json& to) {
  if (!from.is_object() || !to.is_object()) {
    return;
  }
  for (const auto& [key, value] : from.items()) {
    const auto found = to.find(key);
    if (found == to.end()) {
      if (section == nullptr || !is_setting(*section, prefix + key)) {
        to[key] = value;
      }
    } else if (section != nullptr && prefix.empty()) {
      keep_unknown(section, key + ".", value, *found);
    }
  }
}

void keep_from(const Json& original, Json& root) {
  for (const auto& section : sections()) {
    const std::string group(section.group);
    const std::string key(section.key);
    const Json* from = &original;
    Json* to = &root;
    if (!group.empty()) {
      if (!original.contains(group) || !root.contains(group)) {
        continue;
      }
      from = &original[group];
      to = &root[group];
    }
    if (from->is_object() && from->contains(key) && to->contains(key)) {
      keep_unknown(&section, {}, (*from)[key], (*to)[key]);
    }
  }
  for (const auto& [key, value] : original.items()) {
    if (!root.contains(key)) {
      root[key] = value;
    } else if (key != "cluster" && key != "agent" && key != "datastore") {
      for (const auto& [inner, inner_value] : value.items()) {
        // A section that is switched off stays so.
        const bool ours = std::any_of(sections().begin(), sections().end(), [&](const Section& s) {
          return s.group == key && s.key == inner;
        });
        if (!ours && !root[key].contains(inner)) {
          root[key][inner] = inner_value;
        }
      }
    }
  }
}

Json build(const Config& config, Style style) {
  Json root = Json::object();
  for (const auto top : kTopOrder) {
    if (top == "datastore") {
      if (const auto text = datastore_defaults(config.datastore.name); !text.empty()) {
        root["datastore"] = Json::parse(text);
      }
      continue;
    }
    for (const auto& section : sections()) {
      if ((section.group.empty() ? section.key : section.group) != top) {
        continue;
      }
      Json json = enabled(section, config) ? section_json(section, config, style) : Json();
      if (json.empty()) {
        continue;
      }
      if (section.group.empty()) {
        root[std::string(top)] = std::move(json);
      } else {
        root[std::string(top)][std::string(section.key)] = std::move(json);
      }
    }
  }
  return root;
}

// nlohmann's own numbers look different from Go's.
void write(const Json& json, JsonWriter& out) {
  switch (json.type()) {
    case Json::value_t::object:
      out.begin_object();
      for (const auto& [key, value] : json.items()) {
        out.key(key);
        write(value, out);
      }
      out.end_object();
      break;
    case Json::value_t::array:
      out.begin_array();
      for (const auto& value : json) {
        write(value, out);
      }
      out.end_array();
      break;
    case Json::value_t::string:
      out.string(json.get_ref<const std::string&>());
      break;
    case Json::value_t::boolean:
      out.boolean(json.get<bool>());
      break;
    case Json::value_t::number_integer:
      out.number(json.get<int64_t>());
      break;
    case Json::value_t::number_unsigned:
      out.number(json.get<uint64_t>());
      break;
    case Json::value_t::number_float:
      out.number(json.get<double>());
      break;
    default:
      out.null();
  }
}

std::string print(const Json& json) {
  std::string compact;
  JsonWriter writer(compact);
  write(json, writer);
  return go_indent(compact, "  ");
}

}  // namespace

std::string to_service_json(const Config& config, std::string_view original) {
  Json root = build(config, {});
  if (!original.empty()) {
    const Json before = Json::parse(original, nullptr, /*allow_exceptions=*/false);
    if (before.is_object()) {
      if (const auto datastore = before.find("datastore"); datastore != before.end()) {
        root["datastore"] = *datastore;
      } else {
        root.erase("datastore");
      }
      keep_from(before, root);
    }
  }
  return print(root);
}

std::string to_display_json(const Config& config) {
  Json root = build(config, {.everything = true, .masked = true});
  root.erase("datastore");
  return print(root);
}

}  // namespace ica::config
