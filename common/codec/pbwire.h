#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace ica {

// The protobuf wire format, for the few messages that we encode and decode by hand.

// Walks over the fields of one message. It allocates nothing; what bytes() gives points into the
// message. Unknown fields need no handling: do not name them in the switch.
//
//   PbReader in(message);
//   while (in.next()) {
//     switch (in.field()) {
//       case 1: cid = in.bytes(); break;
//       case 4: depth = in.zigzag(); break;
//     }
//   }
//   TRY_VOID(in.status());
//
// Damage (a cut message, field number 0, a value of another wire type than asked for) ends the loop
// and shows in status(). Thread-safety: none.
class PbReader {
 public:
  explicit PbReader(BytesView message) : rest_(message) {}

  // Moves to the next field; false at the end and after damage.
  bool next();
  uint32_t field() const { return field_; }

  // The value of the present field. Asking for the wrong type is damage; the value is then 0 or
  // empty.
  uint64_t varint();
  int64_t zigzag();
  bool boolean() { return varint() != 0; }
  BytesView bytes();

  // The present field as it stands in the message, key included: for carrying it on unchanged.
  BytesView raw() const { return raw_; }

  bool ok() const { return ok_; }
  // Code::InvalidArgument "malformed protobuf" after damage.
  Status status() const;
  // For rules that the message breaks beyond its wire format.
  void mark_damaged() { ok_ = false; }

 private:
  bool read_varint(uint64_t& value);
  bool skip_group(uint32_t number);
  bool read_value(uint32_t wire_type);

  BytesView rest_;
  BytesView bytes_;
  BytesView raw_;
  uint64_t number_ = 0;
  uint32_t field_ = 0;
  uint32_t wire_type_ = 0;
  bool ok_ = true;
};

// Appends fields to `out`. The plain calls always write; those ending in _or_skip leave out the
// default, as proto3 does.
class PbWriter {
 public:
  explicit PbWriter(Bytes& out) : out_(out) {}

  PbWriter& varint(uint32_t field, uint64_t value);
  PbWriter& zigzag(uint32_t field, int64_t value);
  PbWriter& boolean(uint32_t field, bool value) { return varint(field, value ? 1 : 0); }
  PbWriter& bytes(uint32_t field, BytesView value);

  PbWriter& varint_or_skip(uint32_t field, uint64_t value) {
    return value == 0 ? *this : varint(field, value);
  }
  PbWriter& zigzag_or_skip(uint32_t field, int64_t value) {
    return value == 0 ? *this : zigzag(field, value);
  }
  PbWriter& bytes_or_skip(uint32_t field, BytesView value) {
    return value.empty() ? *this : bytes(field, value);
  }

  // A nested message, written by `body(PbWriter&)` into the same buffer.
  template <typename Body>
  PbWriter& message(uint32_t field, Body&& body) {
    const size_t start = begin_message(field);
    std::forward<Body>(body)(*this);
    end_message(start);
    return *this;
  }

 private:
  size_t begin_message(uint32_t field);
  void end_message(size_t start);

  Bytes& out_;
};

}  // namespace ica
