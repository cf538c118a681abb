#pragma once

#include <string_view>

namespace ica {

// The version of this build, from the git tag ("1.0.0", "1.0.0-12-gabc1234") or as the packager
// gave it. Not the version that the peer tells others: that is the reference's,
// api::kReferenceVersion.
std::string_view build_version();

}  // namespace ica
