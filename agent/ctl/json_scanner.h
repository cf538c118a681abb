#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace ica::ctl {

// Reads JSON text byte by byte and says where a value ends, with the words of Go's encoding/json
// for what is wrong (users see them). Thread-safety: none.
class JsonScanner {
 public:
  enum class Step {
    Continue,   // the byte belongs to the value (or is space in front of it)
    End,        // the byte was the value's last one
    EndBefore,  // the value ended with the byte before; this one was not taken
    Error,      // see error()
  };

  // Ready for the next value.
  void reset();
  Step feed(char c);
  // Nothing but space was read since reset().
  bool at_start() const { return state_ == State::BeginValue && nesting_.empty(); }
  // No more bytes come: whether what was read is a whole value (a number has no end mark).
  bool complete_at_end() const;
  const std::string& error() const { return error_; }

 private:
  enum class State : uint8_t {
    BeginValue,
    BeginValueOrEnd,
    BeginKey,
    BeginKeyOrEnd,
    AfterKey,
    AfterValue,
    Text,
    Escape,
    Unicode,
    Minus,
    Zero,
    Digits,
    Dot,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
    Literal,
    Done,
  };
  Step begin_value(char c);
  Step end_value();
  Step end_number(char c);
  Step after_value(char c);
  Step fail_at(char c, std::string_view where);
  Step step_number(char c);

  State state_ = State::BeginValue;
  std::string nesting_;  // one '{', ':' (object, value expected) or '[' a level
  std::string_view literal_;
  size_t literal_at_ = 0;
  int hex_digits_ = 0;
  std::string error_;
};

// Cuts a stream of concatenated JSON values (any space between them) into single ones. A value over
// `max_document` bytes is an error. Thread-safety: none.
class JsonSplitter {
 public:
  using Sink = std::function<void(std::string_view document)>;
  explicit JsonSplitter(size_t max_document = 64 << 20) : max_document_(max_document) {}

  // Calls `sink` for each value that ends in `piece`. Protocol with Go's words for bad JSON.
  Status feed(std::string_view piece, const Sink& sink);
  // The stream has ended. "unexpected EOF" in the middle of a value.
  Status finish(const Sink& sink);

 private:
  size_t max_document_;
  JsonScanner scanner_;
  std::string current_;
};

// Checks that `text` is one JSON value as json.Unmarshal does.
Status check_json(std::string_view text);

// `json`, which must be valid, as json.MarshalIndent with four spaces writes it: same order of
// keys, Go's escapes in strings, numbers as they are.
std::string indent_json(std::string_view json);

}  // namespace ica::ctl
