#include "common/codec/msgpack.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;

namespace {

// Reads whatever is next with the call that fits the byte `how`, and goes into lists and structs.
void read_any(MsgpackReader& in, uint8_t how, int depth) {
  static constexpr std::string_view kNames[] = {"a", "b", "Name", "Method"};
  switch (how % 9) {
    case 0:
      (void)in.boolean();
      break;
    case 1:
      (void)in.integer();
      break;
    case 2:
      (void)in.unsigned_integer();
      break;
    case 3:
      (void)in.number();
      break;
    case 4:
      (void)in.raw();
      break;
    case 5: {
      const Time time = in.time();
      if (in.ok()) {
        Bytes out;
        MsgpackWriter(out).time(time);
        MsgpackReader again(out);
        ICA_ASSERT(again.time() == time);
      }
      break;
    }
    case 6:
      for (size_t n = in.array(); n > 0 && in.ok() && depth > 0; --n) {
        read_any(in, how / 9, depth - 1);
      }
      break;
    case 7: {
      MsgpackFields fields(in, kNames);
      while (fields.next()) {
        if (depth > 0 && fields.index() < 3) {
          read_any(in, how / 9, depth - 1);
        }
      }
      break;
    }
    default:
      in.skip();
  }
}

}  // namespace

ICA_FUZZ(BytesView input) {
  if (input.empty()) {
    return;
  }
  const auto how = static_cast<uint8_t>(input[0]);
  input.remove_prefix(1);
  // The end is the same however the bytes arrive, and is where skip() ends.
  constexpr size_t kMax = 4096;
  MsgpackScanner at_once(kMax);
  const auto whole = at_once.scan(input);
  MsgpackScanner in_pieces(kMax);
  Result<bool> piecewise = false;
  for (size_t have = 0; have <= input.size() && piecewise && !*piecewise; ++have) {
    piecewise = in_pieces.scan(input.substr(0, have));
  }
  ICA_ASSERT(whole.has_value() == piecewise.has_value());
  if (whole) {
    ICA_ASSERT(*whole == *piecewise);
    MsgpackReader skipping(input);
    skipping.skip();
    ICA_ASSERT(skipping.ok() == *whole);
    if (*whole) {
      ICA_ASSERT(at_once.size() == in_pieces.size());
      ICA_ASSERT(input.size() - skipping.left() == at_once.size());
    }
  }
  MsgpackReader in(input);
  while (in.ok() && !in.at_end()) {
    read_any(in, how, 4);
  }
}
