#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace ica::adder {

// The hash functions that an upload can ask for, by their multihash names.
// Thread-safety: values and pure functions.
class HashFunction {
 public:
  // "sha2-256", "sha2-512", "sha3-...", "blake2b-N", "blake2s-256", "sha1", ... Fails with the
  // reference's words for an unknown name, and says so for a known one that we do not have.
  static Result<HashFunction> by_name(std::string_view lower_case_name);

  uint64_t code() const { return code_; }
  // The multihash of `data`: code, length, digest.
  Bytes multihash(BytesView data) const;

 private:
  uint64_t code_ = 0x12;
  size_t length_ = 32;
};

}  // namespace ica::adder
