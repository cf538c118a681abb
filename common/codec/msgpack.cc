#include "common/codec/msgpack.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace ica {
namespace {

constexpr int8_t kTimestampExtension = -1;

// The shape of an item, by its first byte: how many bytes of length or number follow, and what they
// count.
enum class Shape : uint8_t { Bad, Plain, Fixed, String, Array, Map, Extension };
struct FirstByte {
  Shape shape;
  uint8_t size;   // bytes of number or length after the first byte
  uint8_t count;  // with size 0: the length or count itself; for fixed extensions the payload
};

constexpr FirstByte classify(uint8_t b) {
  if (b < 0x80 || b >= 0xe0) {
    return {Shape::Plain, 0, 0};
  }
  if (b < 0x90) {
    return {Shape::Map, 0, static_cast<uint8_t>(b & 15)};
  }
  if (b < 0xa0) {
    return {Shape::Array, 0, static_cast<uint8_t>(b & 15)};
  }
  if (b < 0xc0) {
    return {Shape::String, 0, static_cast<uint8_t>(b & 31)};
  }
  switch (b) {
    case 0xc0:
    case 0xc2:
    case 0xc3:
      return {Shape::Plain, 0, 0};
    case 0xc4:
    case 0xd9:
      return {Shape::String, 1, 0};
    case 0xc5:
    case 0xda:
      return {Shape::String, 2, 0};
    case 0xc6:
    case 0xdb:
      return {Shape::String, 4, 0};
    case 0xc7:
      return {Shape::Extension, 1, 0};
    case 0xc8:
      return {Shape::Extension, 2, 0};
    case 0xc9:
      return {Shape::Extension, 4, 0};
    case 0xcc:
    case 0xd0:
      return {Shape::Fixed, 1, 0};
    case 0xcd:
    case 0xd1:
      return {Shape::Fixed, 2, 0};
    case 0xca:
    case 0xce:
    case 0xd2:
      return {Shape::Fixed, 4, 0};
    case 0xcb:
    case 0xcf:
    case 0xd3:
      return {Shape::Fixed, 8, 0};
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
      return {Shape::Extension, 0, static_cast<uint8_t>(1 << (b - 0xd4))};
    case 0xdc:
      return {Shape::Array, 2, 0};
    case 0xdd:
      return {Shape::Array, 4, 0};
    case 0xde:
      return {Shape::Map, 2, 0};
    case 0xdf:
      return {Shape::Map, 4, 0};
    default:
      return {Shape::Bad, 0, 0};
  }
}

uint64_t read_big_endian(BytesView bytes) {
  uint64_t value = 0;
  for (const char c : bytes) {
    value = value << 8 | static_cast<uint8_t>(c);
  }
  return value;
}

}  // namespace

Result<bool> MsgpackScanner::scan(BytesView input) {
  while (left_ > 0) {
    if (at_ >= input.size()) {
      return false;
    }
    const FirstByte first = classify(static_cast<uint8_t>(input[at_]));
    if (first.shape == Shape::Bad) {
      return fail(Code::InvalidArgument, "malformed msgpack");
    }
    if (input.size() - at_ < 1U + first.size) {
      return false;
    }
    const uint64_t number =
        first.size == 0 ? first.count : read_big_endian(input.substr(at_ + 1, first.size));
    uint64_t contents = 0;
    uint64_t items = 0;
    switch (first.shape) {
      case Shape::String:
        contents = number;
        break;
      case Shape::Extension:
        contents = number + 1;
        break;
      case Shape::Array:
        items = number;
        break;
      case Shape::Map:
        items = 2 * number;
        break;
      default:
        break;
    }
    left_ += items;
    --left_;
    at_ += 1 + first.size + contents;
    // Every item that is still to come has at least one byte.
    if (at_ > max_bytes_ || left_ > max_bytes_ - at_) {
      return fail(Code::TooLarge, "a value of more than {} bytes", max_bytes_);
    }
  }
  return at_ <= input.size();
}

MsgpackReader::Kind MsgpackReader::peek() const {
  if (rest_.empty()) {
    return Kind::Bad;
  }
  const auto b = static_cast<uint8_t>(rest_[0]);
  switch (classify(b).shape) {
    case Shape::Bad:
      return Kind::Bad;
    case Shape::Plain:
      return b == 0xc0   ? Kind::Nil
             : b == 0xc2 ? Kind::False
             : b == 0xc3 ? Kind::True
             : b < 0x80  ? Kind::Unsigned
                         : Kind::Negative;
    case Shape::Fixed:
      if (b == 0xca || b == 0xcb) {
        return Kind::Float;
      }
      return b < 0xd0 ? Kind::Unsigned : Kind::Negative;
    case Shape::String:
      return Kind::Raw;
    case Shape::Array:
      return Kind::Array;
    case Shape::Map:
      return Kind::Map;
    case Shape::Extension:
      return Kind::Extension;
  }
  return Kind::Bad;
}

MsgpackReader::Head MsgpackReader::take_head() {
  Head head;
  head.kind = peek();
  if (head.kind == Kind::Bad) {
    mark_damaged();
    return {};
  }
  const auto b = static_cast<uint8_t>(rest_[0]);
  const FirstByte first = classify(b);
  const size_t size = 1U + first.size + (first.shape == Shape::Extension ? 1U : 0U);
  if (rest_.size() < size) {
    mark_damaged();
    return {};
  }
  head.value = first.size == 0 ? first.count : read_big_endian(rest_.substr(1, first.size));
  if (first.shape == Shape::Plain) {
    head.value = static_cast<uint64_t>(static_cast<int64_t>(static_cast<int8_t>(b)));
  }
  if (head.kind == Kind::Negative && first.shape == Shape::Fixed) {
    const int unused = 64 - 8 * first.size;
    const int64_t value = static_cast<int64_t>(head.value << unused) >> unused;
    head.value = static_cast<uint64_t>(value);
    if (value >= 0) {
      head.kind = Kind::Unsigned;
    }
  }
  if (head.kind == Kind::Float && first.size == 4) {
    const auto value = static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(head.value)));
    head.value = std::bit_cast<uint64_t>(value);
  }
  if (first.shape == Shape::Extension) {
    head.extension = static_cast<int8_t>(rest_[size - 1]);
  }
  rest_.remove_prefix(size);
  return head;
}

BytesView MsgpackReader::take(uint64_t size) {
  if (size > rest_.size()) {
    mark_damaged();
    return {};
  }
  const BytesView out = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return out;
}

bool MsgpackReader::next_is_nil() const {
  return peek() == Kind::Nil;
}

bool MsgpackReader::next_is_raw() const {
  return peek() == Kind::Raw;
}

bool MsgpackReader::boolean() {
  switch (take_head().kind) {
    case Kind::True:
      return true;
    case Kind::False:
    case Kind::Nil:
      return false;
    default:
      mark_damaged();
      return false;
  }
}

int64_t MsgpackReader::integer() {
  const Head head = take_head();
  const auto value = static_cast<int64_t>(head.value);
  if (head.kind == Kind::Negative || (head.kind == Kind::Unsigned && value >= 0)) {
    return value;
  }
  if (head.kind != Kind::Nil) {
    mark_damaged();
  }
  return 0;
}

uint64_t MsgpackReader::unsigned_integer() {
  const Head head = take_head();
  if (head.kind == Kind::Unsigned) {
    return head.value;
  }
  if (head.kind != Kind::Nil) {
    mark_damaged();
  }
  return 0;
}

double MsgpackReader::number() {
  const Head head = take_head();
  switch (head.kind) {
    case Kind::Float:
      return std::bit_cast<double>(head.value);
    case Kind::Unsigned:
      return static_cast<double>(head.value);
    case Kind::Negative:
      return static_cast<double>(static_cast<int64_t>(head.value));
    case Kind::Nil:
      return 0;
    default:
      mark_damaged();
      return 0;
  }
}

BytesView MsgpackReader::raw() {
  const Head head = take_head();
  if (head.kind == Kind::Raw) {
    return take(head.value);
  }
  if (head.kind != Kind::Nil) {
    mark_damaged();
  }
  return {};
}

Time MsgpackReader::time() {
  const Head head = take_head();
  if (head.kind == Kind::Nil) {
    return {};
  }
  if (head.kind != Kind::Raw &&
      (head.kind != Kind::Extension || head.extension != kTimestampExtension)) {
    mark_damaged();
    return {};
  }
  const BytesView payload = take(head.value);
  uint64_t nanoseconds = 0;
  int64_t seconds = 0;
  if (payload.size() == 4) {
    seconds = static_cast<int64_t>(read_big_endian(payload));
  } else if (payload.size() == 8) {
    const uint64_t both = read_big_endian(payload);
    nanoseconds = both >> 34;
    seconds = static_cast<int64_t>(both & ((uint64_t{1} << 34) - 1));
  } else if (payload.size() == 12) {
    nanoseconds = read_big_endian(payload.substr(0, 4));
    seconds = static_cast<int64_t>(read_big_endian(payload.substr(4)));
  } else {
    mark_damaged();
    return {};
  }
  // Beyond these no calendar has a date, and arithmetic would overflow.
  constexpr int64_t kFarthest = int64_t{1} << 55;
  if (nanoseconds >= 1'000'000'000 || seconds > kFarthest || seconds < -kFarthest) {
    mark_damaged();
    return {};
  }
  return Time::from_unix(seconds, static_cast<int32_t>(nanoseconds));
}

size_t MsgpackReader::count(Kind kind, uint64_t bytes_per_item) {
  const Head head = take_head();
  if (head.kind == Kind::Nil) {
    return 0;
  }
  if (head.kind != kind || head.value > rest_.size() / bytes_per_item) {
    mark_damaged();
    return 0;
  }
  return head.value;
}

size_t MsgpackReader::array() {
  return count(Kind::Array, 1);
}

size_t MsgpackReader::map() {
  return count(Kind::Map, 2);
}

void MsgpackReader::skip() {
  MsgpackScanner scanner(rest_.size());
  const auto whole = scanner.scan(rest_);
  if (!whole || !*whole) {
    mark_damaged();
    return;
  }
  rest_.remove_prefix(scanner.size());
}

Status MsgpackReader::status() const {
  if (ok_) {
    return {};
  }
  return fail(Code::InvalidArgument, "malformed msgpack");
}

MsgpackFields::MsgpackFields(MsgpackReader& in, std::span<const std::string_view> names)
    : in_(in), names_(names) {
  if (in_.peek() == MsgpackReader::Kind::Array) {
    left_ = in_.array();
  } else {
    is_map_ = true;
    left_ = in_.map();
  }
}

bool MsgpackFields::next() {
  if (unread_ != 0 && in_.left() == unread_) {
    in_.skip();
  }
  unread_ = 0;
  while (in_.ok() && left_ > 0) {
    --left_;
    if (!is_map_) {
      index_ = next_index_++;
    } else if (in_.next_is_raw()) {
      const BytesView key = in_.raw();
      index_ = static_cast<size_t>(std::find(names_.begin(), names_.end(), key) - names_.begin());
    } else {
      in_.skip();
      index_ = names_.size();
    }
    if (index_ < names_.size()) {
      unread_ = in_.left();
      return in_.ok();
    }
    in_.skip();
  }
  return false;
}

void MsgpackWriter::big_endian(uint64_t value, int bytes) {
  for (int shift = 8 * bytes - 8; shift >= 0; shift -= 8) {
    out_.push_back(static_cast<char>(value >> shift));
  }
}

void MsgpackWriter::integer(int64_t value) {
  const auto bits = static_cast<uint64_t>(value);
  if (value >= -32 && value <= 127) {
    byte(static_cast<unsigned>(bits & 0xff));
  } else if (value < 0 && value >= std::numeric_limits<int8_t>::min()) {
    byte(0xd0);
    big_endian(bits, 1);
  } else if (value >= std::numeric_limits<int16_t>::min() &&
             value <= std::numeric_limits<int16_t>::max()) {
    byte(0xd1);
    big_endian(bits, 2);
  } else if (value >= std::numeric_limits<int32_t>::min() &&
             value <= std::numeric_limits<int32_t>::max()) {
    byte(0xd2);
    big_endian(bits, 4);
  } else {
    byte(0xd3);
    big_endian(bits, 8);
  }
}

void MsgpackWriter::unsigned_integer(uint64_t value) {
  if (value <= 127) {
    byte(static_cast<unsigned>(value));
  } else if (value <= 0xff) {
    byte(0xcc);
    big_endian(value, 1);
  } else if (value <= 0xffff) {
    byte(0xcd);
    big_endian(value, 2);
  } else if (value <= 0xffffffff) {
    byte(0xce);
    big_endian(value, 4);
  } else {
    byte(0xcf);
    big_endian(value, 8);
  }
}

void MsgpackWriter::number(double value) {
  byte(0xcb);
  big_endian(std::bit_cast<uint64_t>(value), 8);
}

void MsgpackWriter::raw(BytesView bytes) {
  if (bytes.size() < 32) {
    byte(0xa0 | static_cast<unsigned>(bytes.size()));
  } else if (bytes.size() <= 0xffff) {
    byte(0xda);
    big_endian(bytes.size(), 2);
  } else {
    byte(0xdb);
    big_endian(bytes.size(), 4);
  }
  out_.append(bytes);
}

void MsgpackWriter::time(const Time& value) {
  if (value.is_zero()) {
    nil();
    return;
  }
  const int64_t seconds = value.unix_seconds();
  const auto nanoseconds = static_cast<uint64_t>(value.nanoseconds());
  if (seconds < 0 || seconds >> 34 != 0) {
    byte(0xa0 | 12);
    big_endian(nanoseconds, 4);
    big_endian(static_cast<uint64_t>(seconds), 8);
  } else if (nanoseconds == 0 && seconds >> 32 == 0) {
    byte(0xa0 | 4);
    big_endian(static_cast<uint64_t>(seconds), 4);
  } else {
    byte(0xa0 | 8);
    big_endian(nanoseconds << 34 | static_cast<uint64_t>(seconds), 8);
  }
}

void MsgpackWriter::array(size_t items) {
  if (items < 16) {
    byte(0x90 | static_cast<unsigned>(items));
  } else if (items <= 0xffff) {
    byte(0xdc);
    big_endian(items, 2);
  } else {
    byte(0xdd);
    big_endian(items, 4);
  }
}

void MsgpackWriter::map(size_t pairs) {
  if (pairs < 16) {
    byte(0x80 | static_cast<unsigned>(pairs));
  } else if (pairs <= 0xffff) {
    byte(0xde);
    big_endian(pairs, 2);
  } else {
    byte(0xdf);
    big_endian(pairs, 4);
  }
}

MsgpackWriter& MsgpackStruct::key(std::string_view name) {
  ++fields_;
  writer_.raw(name);
  return writer_;
}

MsgpackStruct::~MsgpackStruct() {
  if (fields_ < 16) {
    out_[start_] = static_cast<char>(0x80 | fields_);
    return;
  }
  const char head[] = {'\xde', static_cast<char>(fields_ >> 8), static_cast<char>(fields_)};
  out_.replace(start_, 1, head, sizeof head);
}

}  // namespace ica
