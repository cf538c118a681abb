#include "common/api/name_match.h"

#include "common/codec/utf8.h"

namespace ica::api {
namespace {

bool ignores_case(NameMatch match) {
  return match == NameMatch::Iexact || match == NameMatch::Ipartial;
}

}  // namespace

std::optional<NameMatch> name_match_from(std::string_view word) {
  constexpr std::pair<std::string_view, NameMatch> kWords[] = {{"exact", NameMatch::Exact},
                                                               {"iexact", NameMatch::Iexact},
                                                               {"partial", NameMatch::Partial},
                                                               {"ipartial", NameMatch::Ipartial}};
  for (const auto& [known, match] : kWords) {
    if (known == word) {
      return match;
    }
  }
  return std::nullopt;
}

std::string name_to_match(std::string_view name, NameMatch match) {
  return ignores_case(match) ? utf8_lower(name) : std::string(name);
}

bool name_matches(std::string_view name, std::string_view to_match, NameMatch match) {
  std::string lowered;
  if (ignores_case(match)) {
    lowered = utf8_lower(name);
    name = lowered;
  }
  const bool whole = match == NameMatch::Exact || match == NameMatch::Iexact;
  return whole ? name == to_match : name.find(to_match) != std::string_view::npos;
}

}  // namespace ica::api
