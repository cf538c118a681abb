#pragma once

#include <string_view>

#include "common/base/result.h"

namespace ica::web {

// Calls use(item) for each item of a list with commas, as Go splits it: an empty text is one empty
// item, and after a comma there is always one. Ends with the first error.
template <typename Use>
Status for_each_of_list(std::string_view list, Use&& use) {
  while (true) {
    const size_t comma = list.find(',');
    TRY_VOID(use(list.substr(0, comma)));
    if (comma == std::string_view::npos) {
      return {};
    }
    list.remove_prefix(comma + 1);
  }
}

}  // namespace ica::web
