#pragma once

#include <optional>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/codec/cid.h"

namespace ica {

// CAR version 1: a header that names roots, then blocks.

struct CarBlock {
  Cid cid;
  Bytes data;
};

struct CarLimits {
  size_t header_bytes = 1 << 20;
  size_t section_bytes = 32 << 20;  // CID and data; what the reference allows
};

// Takes an archive in pieces and gives its blocks out one by one. It holds at most one section and
// the piece that was pushed last. That a block is what its CID says is for the caller to check
// (check_block). Thread-safety: none.
//
//   CarReader car;
//   while (piece arrives) {
//     car.push(piece);
//     while (true) {
//       TRY(auto block, car.next());
//       if (!block) break;
//       ...
//     }
//   }
//   TRY_VOID(car.finish());
class CarReader {
 public:
  explicit CarReader(CarLimits limits = {}) : limits_(limits) {}

  void push(BytesView data);
  // The next block; nothing when more input is needed. An error is final.
  Result<std::optional<CarBlock>> next();
  // At the end of the input: fails with "unexpected EOF" when a header or section was cut, with
  // "EOF" when there is no byte of a header.
  Status finish() const;

  // The roots, once the header has been read (next() reads it); null before.
  const std::vector<Cid>* roots() const { return have_header_ ? &roots_ : nullptr; }

 private:
  // The next length-prefixed piece, or nothing yet.
  Result<std::optional<BytesView>> take(size_t limit);

  CarLimits limits_;
  Bytes buffer_;
  size_t at_ = 0;  // start of what is unread in buffer_
  bool have_header_ = false;
  std::vector<Cid> roots_;
};

// Appends a header, a block, and what stands before the bytes of a block.
void append_car_header(Bytes& out, const std::vector<Cid>& roots);
void append_car_block_head(Bytes& out, const Cid& cid, size_t data_size);
void append_car_block(Bytes& out, const Cid& cid, BytesView data);

}  // namespace ica
