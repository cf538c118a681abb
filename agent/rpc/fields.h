#pragma once

// How the wire types are read and written; for the .cc files of agent/rpc only. A struct is
// described once, by a `describe(value, field)` that names its fields in the reference's order, and
// FieldWriter and FieldReader are the two things that `field` can be.
#include <concepts>
#include <limits>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "agent/rpc/types.h"

namespace ica::rpc {

// V is T or const T: what `describe` takes.
template <typename V, typename T>
concept Is = std::same_as<std::remove_const_t<V>, T>;

// ---- what the fields are made of, beside the types of types.h

void write(Bytes& out, const Multiaddr& value);
void write(Bytes& out, const Time& value);
void write(Bytes& out, const std::string& value);
void write(Bytes& out, api::PinMode value);
void write(Bytes& out, api::PinType value);
void write(Bytes& out, api::TrackerStatus value);
void write(Bytes& out, const api::RepoGcKey& value);

void read(MsgpackReader& in, Multiaddr& value);
void read(MsgpackReader& in, Time& value);
void read(MsgpackReader& in, std::string& value);
void read(MsgpackReader& in, api::PinMode& value);
void read(MsgpackReader& in, api::PinType& value);
void read(MsgpackReader& in, api::TrackerStatus& value);
void read(MsgpackReader& in, api::RepoGcKey& value);

template <std::integral T>
void write(Bytes& out, T value) {
  MsgpackWriter writer(out);
  if constexpr (std::same_as<T, bool>) {
    writer.boolean(value);
  } else if constexpr (std::is_signed_v<T>) {
    writer.integer(value);
  } else {
    writer.unsigned_integer(value);
  }
}

template <std::integral T>
void read(MsgpackReader& in, T& value) {
  if constexpr (std::same_as<T, bool>) {
    value = in.boolean();
  } else if constexpr (std::is_signed_v<T>) {
    const int64_t number = in.integer();
    if (number < std::numeric_limits<T>::min() || number > std::numeric_limits<T>::max()) {
      in.mark_damaged();
    } else {
      value = static_cast<T>(number);
    }
  } else {
    static_assert(sizeof(T) == sizeof(uint64_t));
    value = in.unsigned_integer();
  }
}

// What is left out of a struct, and no element of a list.
template <typename T>
bool is_empty(const T& value) {
  if constexpr (requires { value.bytes(); }) {
    return value.bytes().empty();
  } else if constexpr (requires { value.empty(); }) {
    return value.empty();
  } else if constexpr (requires { value.is_zero(); }) {
    return value.is_zero();
  } else {
    return value == T();
  }
}
template <typename T>
bool is_empty(const api::NullableList<T>& value) {
  return !value.present && value.items.empty();
}
bool is_empty(const api::IpfsId& value);
bool is_empty(const api::RepoGcKey& value);

template <typename T>
void write(Bytes& out, const std::vector<T>& items) {
  MsgpackWriter(out).array(items.size());
  for (const T& item : items) {
    write(out, item);
  }
}

// Elements are never empty, so a list needs no more memory than a small multiple of its bytes.
template <typename T>
void read(MsgpackReader& in, std::vector<T>& items) {
  items.clear();
  for (size_t n = in.array(); n > 0 && in.ok(); --n) {
    T item{};
    read(in, item);
    if (is_empty(item)) {
      in.mark_damaged();
    } else {
      items.push_back(std::move(item));
    }
  }
}

template <typename T>
void write(Bytes& out, const api::NullableList<T>& value) {
  write(out, value.items);
}

template <typename T>
void read(MsgpackReader& in, api::NullableList<T>& value) {
  value.present = !in.next_is_nil();
  read(in, value.items);
}

template <typename Map>
  requires requires { typename Map::mapped_type; }
void write(Bytes& out, const Map& map) {
  MsgpackWriter(out).map(map.size());
  for (const auto& [key, value] : map) {
    write(out, key);
    write(out, value);
  }
}

template <typename T>
void read(MsgpackReader& in, std::map<std::string, T>& map) {
  map.clear();
  for (size_t n = in.map(); n > 0 && in.ok(); --n) {
    std::string key;
    read(in, key);
    read(in, map[std::move(key)]);
  }
}

// Sorted once in the end: entries in any order cost no more for it.
inline void read(MsgpackReader& in, api::PeerMap& map) {
  api::PeerMap::sequence_type entries;
  for (size_t n = in.map(); n > 0 && in.ok(); --n) {
    auto& [key, value] = entries.emplace_back();
    read(in, key);
    read(in, value);
  }
  map.adopt_sequence(std::move(entries));
}

// ---- structs

class FieldWriter {
 public:
  explicit FieldWriter(Bytes& out) : out_(out), fields_(out) {}

  // Left out when empty.
  template <typename T>
  void operator()(std::string_view name, const T& value) {
    if (!is_empty(value)) {
      always(name, value);
    }
  }
  // The same for a map whose absence a struct tells from an empty one; both are left out.
  template <typename T>
  void operator()(std::string_view name, const T& value, const bool& /*present*/) {
    (*this)(name, value);
  }
  template <typename T>
  void always(std::string_view name, const T& value) {
    fields_.key(name);
    write(out_, value);
  }
  // Always there; nil when empty.
  template <typename T>
  void or_nil(std::string_view name, const T& value) {
    if (is_empty(value)) {
      fields_.key(name).nil();
    } else {
      always(name, value);
    }
  }

 private:
  Bytes& out_;
  MsgpackStruct fields_;
};

// Reads the value that comes next into the field at `index`.
class FieldReader {
 public:
  FieldReader(MsgpackReader& in, size_t index) : in_(in), index_(index) {}

  template <typename T>
  void operator()(std::string_view, T& value) {
    if (at_++ == index_) {
      read(in_, value);
    }
  }
  template <typename T>
  void operator()(std::string_view, T& value, bool& present) {
    if (at_++ == index_) {
      present = !in_.next_is_nil();
      read(in_, value);
    }
  }
  template <typename T>
  void always(std::string_view name, T& value) {
    (*this)(name, value);
  }
  template <typename T>
  void or_nil(std::string_view name, T& value) {
    (*this)(name, value);
  }

 private:
  MsgpackReader& in_;
  const size_t index_;
  size_t at_ = 0;
};

class FieldNames {
 public:
  template <typename... Rest>
  void operator()(std::string_view name, const Rest&...) {
    names.push_back(name);
  }
  void always(std::string_view name, const auto&) { names.push_back(name); }
  void or_nil(std::string_view name, const auto&) { names.push_back(name); }

  std::vector<std::string_view> names;
};

template <typename T>
void write_struct(Bytes& out, const T& value) {
  FieldWriter field(out);
  describe(value, field);
}

// Fields that are left out keep the value they have.
template <typename T>
void read_struct(MsgpackReader& in, T& value) {
  static const std::vector<std::string_view> names = [] {
    FieldNames field;
    const T none{};
    describe(none, field);
    return std::move(field.names);
  }();
  MsgpackFields fields(in, names);
  while (fields.next()) {
    FieldReader field(in, fields.index());
    describe(value, field);
  }
}

}  // namespace ica::rpc
