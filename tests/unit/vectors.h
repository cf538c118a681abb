#pragma once

#include <doctest/doctest.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "common/codec/multibase.h"

// Vectors made by the reference's libraries, from tests/vectors.
namespace ica::test {

inline nlohmann::json load_vectors(const std::string& name) {
  std::ifstream in(std::string(ICA_TEST_DATA) + "/" + name);
  REQUIRE_MESSAGE(in.good(), name);
  return nlohmann::json::parse(in);
}

inline Bytes from_hex(const std::string& text) {
  auto bytes = base16_decode(text);
  REQUIRE(bytes.has_value());
  return *bytes;
}

inline Bytes hex_field(const nlohmann::json& object, const char* key) {
  return from_hex(object.value(key, std::string()));
}

}  // namespace ica::test
