#include "common/base/build_info.h"

namespace ica {

std::string_view build_version() {
  return ICA_VERSION;
}

}  // namespace ica
