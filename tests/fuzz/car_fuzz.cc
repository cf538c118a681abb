#include "common/codec/car.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;

namespace {

struct Outcome {
  bool good = true;
  Bytes copy;
};

Outcome read(BytesView data, size_t piece) {
  CarLimits limits;
  limits.header_bytes = 4096;
  limits.section_bytes = 65536;
  CarReader car(limits);
  Outcome out;
  Bytes blocks;
  for (size_t at = 0; at < data.size() && out.good; at += piece) {
    car.push(data.substr(at, piece));
    while (true) {
      const auto block = car.next();
      if (!block.has_value()) {
        out.good = false;
        break;
      }
      if (!block->has_value()) {
        break;
      }
      append_car_block(blocks, (*block)->cid, (*block)->data);
    }
  }
  out.good = out.good && car.finish().has_value();
  if (car.roots() != nullptr) {
    append_car_header(out.copy, *car.roots());
  }
  out.copy += blocks;
  return out;
}

}  // namespace

// The size of the pieces makes no difference, and what was read can be written and read again.
ICA_FUZZ(BytesView input) {
  const Outcome whole = read(input, input.size() + 1);
  const Outcome pieces = read(input, 1 + input.size() / 7);
  ICA_ASSERT(whole.good == pieces.good);
  if (whole.good) {
    ICA_ASSERT(whole.copy == pieces.copy);
    const Outcome again = read(whole.copy, whole.copy.size());
    ICA_ASSERT(again.good && again.copy == whole.copy);
  }
}
