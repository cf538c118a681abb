#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace ica {

// MessagePack as Go's codec library writes and reads it: the old specification on output (text and
// bytes are both "raw"), and both specifications on input.

// Finds the end of a value whose bytes arrive in pieces. Every byte is looked at once, however the
// pieces fall. Memory: constant. Thread-safety: none.
class MsgpackScanner {
 public:
  // Values longer than `max_bytes` are refused as soon as a length or a count says so.
  explicit MsgpackScanner(size_t max_bytes) : max_bytes_(max_bytes) {}

  // `input` begins with the first byte of the value and holds at least what it held in the call
  // before. True when the value is complete; it is then size() bytes long. Errors: TooLarge,
  // InvalidArgument.
  Result<bool> scan(BytesView input);
  size_t size() const { return at_; }
  // Ready for the next value.
  void restart() { at_ = 0, left_ = 1; }

 private:
  const size_t max_bytes_;
  size_t at_ = 0;      // may lie beyond the input, within a string
  uint64_t left_ = 1;  // items that belong to the value and have not begun
};

// Reads values one after the other. It allocates nothing; what raw() gives points into the input.
// Nil is the empty value of every kind. Damage and values of another kind than asked for show in
// status(); everything read after them is empty. Thread-safety: none.
class MsgpackReader {
 public:
  explicit MsgpackReader(BytesView in) : rest_(in) {}

  bool next_is_nil() const;
  bool next_is_raw() const;
  bool boolean();
  // Of every width and sign.
  int64_t integer();
  uint64_t unsigned_integer();
  double number();
  // Text or bytes: raw, str or bin.
  BytesView raw();
  // The payload of a msgpack timestamp, as raw or as the extension itself.
  Time time();
  // The number of items or pairs that follow; never more than there are bytes left.
  size_t array();
  size_t map();
  // Passes over one whole value.
  void skip();

  bool at_end() const { return rest_.empty(); }
  size_t left() const { return rest_.size(); }
  bool ok() const { return ok_; }
  // Code::InvalidArgument "malformed msgpack" after damage.
  Status status() const;
  // For rules that the value breaks beyond its format.
  void mark_damaged() { ok_ = false, rest_ = {}; }

 private:
  friend class MsgpackFields;
  enum class Kind { Nil, False, True, Unsigned, Negative, Float, Raw, Array, Map, Extension, Bad };
  struct Head {
    Kind kind = Kind::Bad;
    uint64_t value = 0;  // the number's bits, or a length or count
    int8_t extension = 0;
  };
  // Reads what comes before the contents; a nil is given as it is.
  Head take_head();
  Kind peek() const;
  BytesView take(uint64_t size);
  size_t count(Kind kind, uint64_t bytes_per_item);

  BytesView rest_;
  bool ok_ = true;
};

// Walks over the fields of a struct, which is a map with text keys, or an array in the order of
// `names`, or nil. Keys that are not in `names` are passed over, and so are values that the loop
// does not read.
//
//   MsgpackFields fields(in, kNames);
//   while (fields.next()) {
//     switch (fields.index()) {
//       case 0: id = in.raw(); break;
//     }
//   }
class MsgpackFields {
 public:
  MsgpackFields(MsgpackReader& in, std::span<const std::string_view> names);
  bool next();
  size_t index() const { return index_; }

 private:
  MsgpackReader& in_;
  const std::span<const std::string_view> names_;
  bool is_map_ = false;
  size_t left_ = 0;
  size_t index_ = 0;
  size_t next_index_ = 0;
  size_t unread_ = 0;  // bytes left when the present value began; 0: none has begun
};

// Appends values to `out` as Go does. Thread-safety: none.
class MsgpackWriter {
 public:
  explicit MsgpackWriter(Bytes& out) : out_(out) {}

  void nil() { byte(0xc0); }
  void boolean(bool value) { byte(value ? 0xc3 : 0xc2); }
  // Go's signed integers; those above 127 are written as int16 and wider.
  void integer(int64_t value);
  // Go's unsigned integers.
  void unsigned_integer(uint64_t value);
  void number(double value);
  void raw(BytesView bytes);
  // Nil for the zero time.
  void time(const Time& value);
  void array(size_t items);
  void map(size_t pairs);

 private:
  friend class MsgpackStruct;
  void byte(unsigned value) { out_.push_back(static_cast<char>(value)); }
  void big_endian(uint64_t value, int bytes);

  Bytes& out_;
};

// Writes a struct whose empty fields are left out: the number of fields is put in front at the end.
//   MsgpackStruct fields(out);
//   fields.key("n").raw(name);
class MsgpackStruct {
 public:
  explicit MsgpackStruct(Bytes& out) : out_(out), writer_(out), start_(out.size()) {
    out.push_back('\x80');
  }
  ~MsgpackStruct();
  MsgpackStruct(const MsgpackStruct&) = delete;
  MsgpackStruct& operator=(const MsgpackStruct&) = delete;

  MsgpackWriter& key(std::string_view name);

 private:
  Bytes& out_;
  MsgpackWriter writer_;
  const size_t start_;
  size_t fields_ = 0;
};

}  // namespace ica
