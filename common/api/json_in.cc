#include "common/api/json_in.h"

#include <limits>
#include <sstream>

#include "common/base/ascii.h"

namespace ica::api::json_in {

namespace {

Result<Json> as_object(Json json) {
  if (json.is_discarded()) {
    return fail(Code::InvalidArgument, "invalid JSON");
  }
  if (!json.is_object()) {
    return fail(Code::InvalidArgument, "not a JSON object");
  }
  return json;
}

Result<Json> as_nullable_object(Json json) {
  return json.is_null() ? Json::object() : as_object(std::move(json));
}

}  // namespace

Result<Json> parse_object(std::string_view text) {
  return as_object(Json::parse(text.begin(), text.end(), nullptr, false));
}

Result<Json> parse_nullable_object(std::string_view text) {
  return as_nullable_object(Json::parse(text.begin(), text.end(), nullptr, false));
}

Result<Json> parse_first_object(std::string_view text) {
  std::istringstream stream{std::string(text)};
  Json json;
  try {
    stream >> json;
  } catch (const Json::exception&) {
    return as_object(Json::value_t::discarded);
  }
  return as_nullable_object(std::move(json));
}

bool read_strings(const Json& object, std::map<std::string, std::string>& out) {
  for (const auto& [key, value] : object.items()) {
    const auto* const text = value.get_ptr<const std::string*>();
    if (text == nullptr && !value.is_null()) {
      return false;
    }
    out[key] = text == nullptr ? std::string() : *text;
  }
  return true;
}

void Members::set_error(Error error) {
  if (status_.has_value()) {
    status_ = fail(std::move(error));
  }
}

void Members::wrong_type(const char* key, const char* wanted) {
  set_error(Error(Code::InvalidArgument, fmt::format("field {} is not {}", key, wanted)));
}

void Members::in_field(const char* key, const Error& error) {
  set_error(Error(error.code(), fmt::format("field {}: {}", key, error.message())));
}

const Json* Members::find(const char* key) const {
  auto it = object_.find(key);
  if (it == object_.end()) {
    // As in Go, a key in another case does when there is none in the right one.
    for (it = object_.begin(); it != object_.end() && !iequals(it.key(), key);) {
      ++it;
    }
  }
  return it == object_.end() || it->is_null() ? nullptr : &*it;
}

const Json* Members::object(const char* key) {
  const Json* const value = find(key);
  if (value != nullptr && !value->is_object()) {
    wrong_type(key, "an object");
    return nullptr;
  }
  return value;
}

Members& Members::get(const char* key, std::string& out) {
  if (const Json* value = find(key)) {
    if (const auto* text = value->get_ptr<const std::string*>()) {
      out = *text;
    } else {
      wrong_type(key, "a string");
    }
  }
  return *this;
}

Members& Members::get(const char* key, bool& out) {
  if (const Json* value = find(key)) {
    if (value->is_boolean()) {
      out = value->get<bool>();
    } else {
      wrong_type(key, "a boolean");
    }
  }
  return *this;
}

template <typename T>
Members& Members::number(const char* key, T& out) {
  const Json* const value = find(key);
  if (value == nullptr) {
    return *this;
  }
  if (value->is_number_unsigned()) {
    const auto n = value->get<uint64_t>();
    if (n <= static_cast<uint64_t>(std::numeric_limits<T>::max())) {
      out = static_cast<T>(n);
      return *this;
    }
  } else if (value->is_number_integer() && std::numeric_limits<T>::is_signed) {
    const auto n = value->get<int64_t>();
    if (n >= static_cast<int64_t>(std::numeric_limits<T>::min()) && n < 0) {
      out = static_cast<T>(n);
      return *this;
    }
  }
  wrong_type(key, "a number that fits");
  return *this;
}

Members& Members::get(const char* key, int& out) {
  return number(key, out);
}
Members& Members::get(const char* key, int64_t& out) {
  return number(key, out);
}
Members& Members::get(const char* key, uint64_t& out) {
  return number(key, out);
}

Members& Members::get(const char* key, Time& out) {
  std::string text;
  get(key, text);
  if (find(key) != nullptr && ok()) {
    auto time = Time::parse(text);
    if (time.has_value()) {
      out = *time;
    } else {
      in_field(key, time.error());
    }
  }
  return *this;
}

Members& Members::get(const char* key, Cid& out) {
  std::string text;
  get(key, text);
  if (find(key) != nullptr && ok()) {
    auto cid = Cid::parse(text);
    if (cid.has_value()) {
      out = std::move(*cid);
    } else {
      in_field(key, cid.error());
    }
  }
  return *this;
}

Members& Members::get(const char* key, PeerId& out) {
  std::string text;
  get(key, text);
  if (!text.empty() && ok()) {
    auto peer = PeerId::parse(text);
    if (peer.has_value()) {
      out = std::move(*peer);
    } else {
      in_field(key, peer.error());
    }
  }
  return *this;
}

namespace {

template <typename T>
Result<NullableList<T>> read_list(const Json& array) {
  NullableList<T> out;
  out.present = true;
  out.items.reserve(array.size());
  for (const Json& item : array) {
    const auto* const text = item.get_ptr<const std::string*>();
    if (text == nullptr) {
      return fail(Code::InvalidArgument, "an element is not a string");
    }
    TRY(T value, T::parse(*text));
    out.items.push_back(std::move(value));
  }
  return out;
}

}  // namespace

Members& Members::get(const char* key, NullableList<PeerId>& out) {
  if (const Json* value = find(key)) {
    if (!value->is_array()) {
      wrong_type(key, "a list");
      return *this;
    }
    auto list = read_list<PeerId>(*value);
    if (list.has_value()) {
      out = std::move(*list);
    } else {
      in_field(key, list.error());
    }
  }
  return *this;
}

Members& Members::get(const char* key, NullableList<Multiaddr>& out) {
  if (const Json* value = find(key)) {
    if (!value->is_array()) {
      wrong_type(key, "a list");
      return *this;
    }
    auto list = read_list<Multiaddr>(*value);
    if (list.has_value()) {
      out = std::move(*list);
    } else {
      in_field(key, list.error());
    }
  }
  return *this;
}

Members& Members::get(const char* key, std::map<std::string, std::string>& out, bool* present) {
  const Json* const value = object(key);
  if (value == nullptr) {
    return *this;
  }
  if (present != nullptr) {
    *present = true;
  }
  if (!read_strings(*value, out)) {
    wrong_type(key, "a map of strings");
  }
  return *this;
}

}  // namespace ica::api::json_in
