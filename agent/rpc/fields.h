#pragma once

// How the parts of the wire types are read and written; for the .cc files of agent/rpc only.
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "agent/rpc/types.h"

namespace ica::rpc {

template <typename T>
T read_bytes_as(MsgpackReader& in) {
  const BytesView bytes = in.raw();
  if (bytes.empty()) {
    return T();
  }
  auto value = T::from_bytes(bytes);
  if (!value) {
    in.mark_damaged();
    return T();
  }
  return std::move(*value);
}

// Elements of a list are never empty, so a list needs no more memory than a small multiple of its
// bytes.
template <typename T>
std::vector<T> read_list(MsgpackReader& in) {
  std::vector<T> out;
  for (size_t n = in.array(); n > 0 && in.ok(); --n) {
    T item = read_bytes_as<T>(in);
    if (item.bytes().empty()) {
      in.mark_damaged();
    } else {
      out.push_back(std::move(item));
    }
  }
  return out;
}

template <typename T>
api::NullableList<T> read_nullable_list(MsgpackReader& in) {
  const bool present = !in.next_is_nil();
  return {read_list<T>(in), present};
}

inline int read_int(MsgpackReader& in) {
  const int64_t value = in.integer();
  if (value < std::numeric_limits<int>::min() || value > std::numeric_limits<int>::max()) {
    in.mark_damaged();
    return 0;
  }
  return static_cast<int>(value);
}

inline std::string read_text(MsgpackReader& in) {
  return std::string(in.raw());
}

inline std::map<std::string, std::string> read_text_map(MsgpackReader& in) {
  std::map<std::string, std::string> out;
  for (size_t n = in.map(); n > 0 && in.ok(); --n) {
    std::string key = read_text(in);
    out[std::move(key)] = read_text(in);
  }
  return out;
}

template <typename T>
void write_list(MsgpackWriter& out, const std::vector<T>& items) {
  out.array(items.size());
  for (const T& item : items) {
    out.raw(item.bytes());
  }
}

inline void write_text_map(MsgpackWriter& out, const std::map<std::string, std::string>& map) {
  out.map(map.size());
  for (const auto& [key, value] : map) {
    out.raw(key);
    out.raw(value);
  }
}

// A struct that leaves out what is empty. `value_of` gives the field whose value is written next.
class Fields {
 public:
  explicit Fields(Bytes& out) : fields_(out) {}

  MsgpackWriter& key(std::string_view name) { return fields_.key(name); }

  void text(std::string_view name, BytesView value) {
    if (!value.empty()) {
      key(name).raw(value);
    }
  }
  void integer(std::string_view name, int64_t value) {
    if (value != 0) {
      key(name).integer(value);
    }
  }
  void unsigned_integer(std::string_view name, uint64_t value) {
    if (value != 0) {
      key(name).unsigned_integer(value);
    }
  }
  void boolean(std::string_view name, bool value) {
    if (value) {
      key(name).boolean(value);
    }
  }
  void time(std::string_view name, const Time& value) {
    if (!value.is_zero()) {
      key(name).time(value);
    }
  }
  template <typename T>
  void list(std::string_view name, const api::NullableList<T>& value) {
    if (value.present || !value.items.empty()) {
      write_list(key(name), value.items);
    }
  }
  template <typename T>
  void list(std::string_view name, const std::vector<T>& value) {
    if (!value.empty()) {
      write_list(key(name), value);
    }
  }
  void text_map(std::string_view name, const std::map<std::string, std::string>& value) {
    if (!value.empty()) {
      write_text_map(key(name), value);
    }
  }
  // Always there; nil when undefined.
  void cid(std::string_view name, const Cid& value) {
    if (value.defined()) {
      key(name).raw(value.bytes());
    } else {
      key(name).nil();
    }
  }

 private:
  MsgpackStruct fields_;
};

}  // namespace ica::rpc
