#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ica::api {

// How pins are looked for by name; case is ignored in any script (utf8_lower).
enum class NameMatch { Exact, Iexact, Partial, Ipartial };

// Of "exact", "iexact", "partial", "ipartial".
std::optional<NameMatch> name_match_from(std::string_view word);

// The name that is looked for, once, as name_matches wants it: in lower case when case is ignored.
std::string name_to_match(std::string_view name, NameMatch match);

bool name_matches(std::string_view name, std::string_view to_match, NameMatch match);

}  // namespace ica::api
