#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ica {

// Binary data. std::string because RocksDB, libcurl and Beast all take it without a copy; text is
// never told apart by type, so a name or a comment says which one it is.
using Bytes = std::string;
using BytesView = std::string_view;

inline const uint8_t* u8(BytesView b) {
  return reinterpret_cast<const uint8_t*>(b.data());
}
inline uint8_t* u8(Bytes& b) {
  return reinterpret_cast<uint8_t*>(b.data());
}
inline BytesView view(const uint8_t* p, size_t n) {
  return {reinterpret_cast<const char*>(p), n};
}

}  // namespace ica
