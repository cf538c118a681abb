#pragma once

#include <cstddef>
#include <cstdint>

#include "common/base/bytes.h"
#include "common/base/result.h"

// The body of a target: a function of one input. What must hold is checked with ICA_ASSERT.
//   ICA_FUZZ(BytesView input) { ... }
#define ICA_FUZZ(parameter)                                                 \
  static void fuzz_one(parameter);                                          \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);  \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) { \
    fuzz_one(ica::view(data, size));                                        \
    return 0;                                                               \
  }                                                                         \
  static void fuzz_one(parameter)
