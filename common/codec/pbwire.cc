#include "common/codec/pbwire.h"

namespace ica {

namespace {

constexpr uint32_t kVarint = 0;
constexpr uint32_t kFixed64 = 1;
constexpr uint32_t kBytes = 2;
constexpr uint32_t kGroupStart = 3;
constexpr uint32_t kGroupEnd = 4;
constexpr uint32_t kFixed32 = 5;

constexpr int kMaxGroupDepth = 16;

void put_varint(Bytes& out, uint64_t value) {
  char buffer[10];
  size_t n = 0;
  while (value >= 0x80) {
    buffer[n++] = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  buffer[n++] = static_cast<char>(value);
  out.append(buffer, n);
}

}  // namespace

bool PbReader::read_varint(uint64_t& value) {
  value = 0;
  for (size_t i = 0; i < 10 && i < rest_.size(); ++i) {
    const auto byte = static_cast<uint8_t>(rest_[i]);
    if (i == 9 && byte > 1) {
      return false;  // more than 64 bits
    }
    value |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      rest_.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

bool PbReader::read_value(uint32_t wire_type) {
  uint64_t length = 0;
  switch (wire_type) {
    case kVarint:
      return read_varint(number_);
    case kBytes:
      if (!read_varint(length) || length > rest_.size()) {
        return false;
      }
      break;
    case kFixed64:
      length = 8;
      break;
    case kFixed32:
      length = 4;
      break;
    default:
      return false;
  }
  if (length > rest_.size()) {
    return false;
  }
  bytes_ = rest_.substr(0, length);
  rest_.remove_prefix(length);
  return true;
}

// Groups are obsolete, nobody sends them; an unknown one must still be skippable.
bool PbReader::skip_group(uint32_t number) {
  uint32_t open[kMaxGroupDepth];
  int depth = 0;
  open[depth++] = number;
  while (depth > 0) {
    uint64_t key = 0;
    if (!read_varint(key) || key > 0xffffffff || (key >> 3) == 0) {
      return false;
    }
    const auto field = static_cast<uint32_t>(key >> 3);
    const auto type = static_cast<uint32_t>(key & 7);
    if (type == kGroupStart) {
      if (depth == kMaxGroupDepth) {
        return false;
      }
      open[depth++] = field;
    } else if (type == kGroupEnd) {
      if (open[--depth] != field) {
        return false;
      }
    } else if (!read_value(type)) {
      return false;
    }
  }
  return true;
}

bool PbReader::next() {
  while (ok_ && !rest_.empty()) {
    const BytesView start = rest_;
    uint64_t key = 0;
    if (!read_varint(key) || key > 0xffffffff || (key >> 3) == 0) {
      ok_ = false;
      return false;
    }
    field_ = static_cast<uint32_t>(key >> 3);
    wire_type_ = static_cast<uint32_t>(key & 7);
    if (wire_type_ == kGroupStart) {
      ok_ = skip_group(field_);
      continue;
    }
    ok_ = read_value(wire_type_);
    raw_ = start.substr(0, start.size() - rest_.size());
    return ok_;
  }
  return false;
}

uint64_t PbReader::varint() {
  if (wire_type_ != kVarint) {
    ok_ = false;
    return 0;
  }
  return number_;
}

int64_t PbReader::zigzag() {
  const uint64_t value = varint();
  return static_cast<int64_t>((value >> 1) ^ (0 - (value & 1)));
}

BytesView PbReader::bytes() {
  if (wire_type_ != kBytes) {
    ok_ = false;
    return {};
  }
  return bytes_;
}

Status PbReader::status() const {
  if (!ok_) {
    return fail(Code::InvalidArgument, "malformed protobuf");
  }
  return {};
}

PbWriter& PbWriter::varint(uint32_t field, uint64_t value) {
  put_varint(out_, (static_cast<uint64_t>(field) << 3) | kVarint);
  put_varint(out_, value);
  return *this;
}

PbWriter& PbWriter::zigzag(uint32_t field, int64_t value) {
  return varint(field, (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63));
}

PbWriter& PbWriter::bytes(uint32_t field, BytesView value) {
  put_varint(out_, (static_cast<uint64_t>(field) << 3) | kBytes);
  put_varint(out_, value.size());
  out_.append(value);
  return *this;
}

size_t PbWriter::begin_message(uint32_t field) {
  put_varint(out_, (static_cast<uint64_t>(field) << 3) | kBytes);
  out_.push_back('\0');  // room for the length of a short message, which most are
  return out_.size();
}

void PbWriter::end_message(size_t start) {
  const size_t length = out_.size() - start;
  if (length < 0x80) {
    out_[start - 1] = static_cast<char>(length);
    return;
  }
  Bytes prefix;
  put_varint(prefix, length);
  out_.replace(start - 1, 1, prefix);
}

}  // namespace ica
