#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ica {

// Appends JSON exactly as Go's encoding/json writes it: no spaces, keys in the order of the calls,
// <, >, & and U+2028/2029 escaped, invalid UTF-8 replaced by U+FFFD. Commas are put in by the
// writer. It checks nothing: calls in the wrong order make wrong JSON.
//
//   JsonWriter w(out);
//   w.begin_object();
//   w.key("cid").string(cid);
//   w.key("allocations").begin_array(); ...; w.end_array();
//   w.end_object();
//
// Thread-safety: none; one writer per output.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& key(std::string_view name);
  JsonWriter& string(std::string_view text);
  JsonWriter& number(int64_t value);
  JsonWriter& number(uint64_t value);
  JsonWriter& number(int value) { return number(static_cast<int64_t>(value)); }
  JsonWriter& number(double value);  // as Go's float64
  JsonWriter& boolean(bool value);
  JsonWriter& null();
  JsonWriter& raw(std::string_view json);  // a finished value
  // For writers that are in a hurry: the output, to which the caller appends exactly one value.
  std::string& begin_raw();
  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();

 private:
  void separate();
  std::string& out_;
  bool comma_ = false;  // the next value or key needs one in front
};

// Appends `text` as a quoted JSON string under the same rules.
void append_json_string(std::string& out, std::string_view text);

}  // namespace ica
