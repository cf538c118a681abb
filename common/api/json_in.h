#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "common/api/pin.h"

// Reading of the API's JSON by Go's rules: unknown keys are ignored, keys may be in another case, a
// missing key or null leaves the default, a value of another type is an error. Internal to
// common/api (only .cc files include it).
namespace ica::api::json_in {

using Json = nlohmann::json;

// The text as one JSON object.
Result<Json> parse_object(std::string_view text);
// null is taken for an object without members.
Result<Json> parse_nullable_object(std::string_view text);
// The value that the text begins with, or null, as one JSON object. What comes after it is ignored,
// as Go's decoder of streams does with the body of a request.
Result<Json> parse_first_object(std::string_view text);

// The members of an object, all of them strings (null is an empty one); false when one is not.
bool read_strings(const Json& object, std::map<std::string, std::string>& out);

// Reads members of one object into variables; the first error sticks.
class Members {
 public:
  explicit Members(const Json& object) : object_(object) {}

  Members& get(const char* key, std::string& out);
  Members& get(const char* key, bool& out);
  Members& get(const char* key, int& out);
  Members& get(const char* key, int64_t& out);
  Members& get(const char* key, uint64_t& out);
  Members& get(const char* key, Time& out);
  Members& get(const char* key, Cid& out);
  Members& get(const char* key, PeerId& out);
  Members& get(const char* key, NullableList<PeerId>& out);
  Members& get(const char* key, NullableList<Multiaddr>& out);
  Members& get(const char* key, std::map<std::string, std::string>& out, bool* present = nullptr);

  // The member if it is there, not null, and an object; null otherwise.
  const Json* object(const char* key);
  const Json* find(const char* key) const;

  bool ok() const { return status_.has_value(); }
  Status status() const { return status_; }
  void set_error(Error error);

 private:
  template <typename T>
  Members& number(const char* key, T& out);
  void wrong_type(const char* key, const char* wanted);
  void in_field(const char* key, const Error& error);

  const Json& object_;
  Status status_;
};

}  // namespace ica::api::json_in
