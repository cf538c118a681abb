#pragma once

#include "common/base/bytes.h"

namespace ica {

// BLAKE3 with a digest of 32 bytes, without a key. Thread-safety: any thread.
Bytes blake3(BytesView data);

}  // namespace ica
