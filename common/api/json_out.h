#pragma once

#include <charconv>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/api/pin.h"

// Pieces of JSON appended straight to the output, for the types that are written in bulk. Internal
// to common/api.
namespace ica::api::json_out {

inline void put_number(std::string& out, int64_t value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, static_cast<size_t>(end.ptr - digits));
}

inline void put_number(std::string& out, uint64_t value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, static_cast<size_t>(end.ptr - digits));
}

inline void put_time(std::string& out, const Time& time) {
  if (time.is_zero() && time.offset_minutes() == 0) {
    out.append("\"0001-01-01T00:00:00Z\"");  // the expiry of nearly every pin
    return;
  }
  out.push_back('"');
  time.append_rfc3339(out);
  out.push_back('"');
}

inline void put(std::string& out, const Cid& cid) {
  if (!cid.defined()) {
    out.append("null");
    return;
  }
  out.push_back('"');
  cid.append_text(out);
  out.push_back('"');
}

inline void put(std::string& out, const PeerId& peer) {
  out.push_back('"');
  peer.append_text(out);
  out.push_back('"');
}

inline void put(std::string& out, const Multiaddr& address) {
  append_json_string(out, address.text());
}

template <typename T>
void put_list(std::string& out, const std::vector<T>& items) {
  out.push_back('[');
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) {
      out.push_back(',');
    }
    put(out, items[i]);
  }
  out.push_back(']');
}

template <typename T>
void put(std::string& out, const NullableList<T>& list) {
  if (!list.present && list.items.empty()) {
    out.append("null");
  } else {
    put_list(out, list.items);
  }
}

inline void put_metadata(std::string& out, const std::map<std::string, std::string>& metadata,
                         bool present) {
  if (metadata.empty()) {
    out.append(present ? "{}" : "null");
    return;
  }
  char before = '{';
  for (const auto& [key, value] : metadata) {
    out.push_back(before);
    before = ',';
    append_json_string(out, key);
    out.push_back(':');
    append_json_string(out, value);
  }
  out.push_back('}');
}

}  // namespace ica::api::json_out
