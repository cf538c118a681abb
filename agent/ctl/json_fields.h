#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

// Reading of the API's documents for people: a field that is missing or of another type counts as
// empty. Internal to agent/ctl (only .cc files include it). Thread-safety: pure functions.
namespace ica::ctl {

using Json = nlohmann::json;

// The text as one JSON object; an empty one when it is none.
Json read_object(std::string_view text);
std::string text_of(const Json& object, const char* key);
int64_t number_of(const Json& object, const char* key);
bool flag_of(const Json& object, const char* key);
// The array at `key`.
const Json& list_of(const Json& object, const char* key);
// "name (ID)" from peername and peer; the ID alone for a peer without a name.
std::string peer_of(const Json& object);

}  // namespace ica::ctl
