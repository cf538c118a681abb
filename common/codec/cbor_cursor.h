#pragma once

#include <cstdint>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/codec/cid.h"

namespace ica {

// Reads the strict CBOR of DAG-CBOR item by item: shortest heads, definite lengths. Every call
// fails with InvalidArgument when the next item is of another kind. Views point into the input.
// Thread-safety: none.
class CborCursor {
 public:
  explicit CborCursor(BytesView in) : rest_(in) {}

  Result<uint64_t> unsigned_integer() { return head(0); }
  Result<BytesView> byte_string() { return string(2); }
  Result<BytesView> text() { return string(3); }
  Result<uint64_t> array() { return head(4); }  // the number of its items
  Result<uint64_t> map() { return head(5); }    // the number of its pairs
  // Tag 42 over a byte string that begins with a zero.
  Result<Cid> link();
  bool at_end() const { return rest_.empty(); }

 private:
  Result<uint64_t> head(uint8_t major);
  Result<BytesView> string(uint8_t major);

  BytesView rest_;
};

// The other direction, appending.
void append_cbor_head(Bytes& out, uint8_t major, uint64_t value);
void append_cbor_text(Bytes& out, BytesView text);
void append_cbor_link(Bytes& out, const Cid& cid);

}  // namespace ica
