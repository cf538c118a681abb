#include "agent/ctl/json_fields.h"

#include <fmt/format.h>

namespace ica::ctl {
namespace {

const Json& at(const Json& object, const char* key) {
  static const Json kNull;
  if (!object.is_object()) {
    return kNull;
  }
  const auto found = object.find(key);
  return found == object.end() ? kNull : *found;
}

}  // namespace

Json read_object(std::string_view text) {
  auto json = Json::parse(text, nullptr, false);
  return json.is_object() ? json : Json::object();
}

std::string text_of(const Json& object, const char* key) {
  const Json& value = at(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

int64_t number_of(const Json& object, const char* key) {
  const Json& value = at(object, key);
  return value.is_number() ? value.get<int64_t>() : 0;
}

bool flag_of(const Json& object, const char* key) {
  const Json& value = at(object, key);
  return value.is_boolean() && value.get<bool>();
}

const Json& list_of(const Json& object, const char* key) {
  static const Json kNone = Json::array();
  const Json& value = at(object, key);
  return value.is_array() ? value : kNone;
}

std::string peer_of(const Json& object) {
  const std::string name = text_of(object, "peername");
  return name.empty() ? text_of(object, "peer")
                      : fmt::format("{} ({})", name, text_of(object, "peer"));
}

}  // namespace ica::ctl
