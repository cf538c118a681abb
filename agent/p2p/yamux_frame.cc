#include "agent/p2p/yamux_frame.h"

namespace ica::p2p::yamux {

namespace {

uint32_t read_u32(BytesView b, size_t at) {
  const uint8_t* p = u8(b) + at;
  return static_cast<uint32_t>(p[0]) << 24 | static_cast<uint32_t>(p[1]) << 16 |
         static_cast<uint32_t>(p[2]) << 8 | static_cast<uint32_t>(p[3]);
}

void write_u32(char* p, uint32_t v) {
  p[0] = static_cast<char>(v >> 24);
  p[1] = static_cast<char>(v >> 16);
  p[2] = static_cast<char>(v >> 8);
  p[3] = static_cast<char>(v);
}

}  // namespace

std::array<char, kHeaderSize> encode(const Header& header) {
  std::array<char, kHeaderSize> out{};
  out[0] = 0;
  out[1] = static_cast<char>(header.type);
  out[2] = static_cast<char>(header.flags >> 8);
  out[3] = static_cast<char>(header.flags);
  write_u32(out.data() + 4, header.stream_id);
  write_u32(out.data() + 8, header.length);
  return out;
}

Result<Header> decode_header(BytesView bytes) {
  if (bytes.size() != kHeaderSize) {
    return fail(Code::Protocol, "yamux: header of {} bytes", bytes.size());
  }
  if (bytes[0] != 0) {
    return fail(Code::Protocol, "yamux: version {} is unknown", static_cast<uint8_t>(bytes[0]));
  }
  const auto type = static_cast<uint8_t>(bytes[1]);
  if (type > static_cast<uint8_t>(Type::GoAway)) {
    return fail(Code::Protocol, "yamux: frame type {} is unknown", type);
  }
  Header header;
  header.type = static_cast<Type>(type);
  header.flags = static_cast<uint16_t>(u8(bytes)[2] << 8 | u8(bytes)[3]);
  header.stream_id = read_u32(bytes, 4);
  header.length = read_u32(bytes, 8);
  const bool of_session = header.type == Type::Ping || header.type == Type::GoAway;
  if (of_session != (header.stream_id == 0)) {
    return fail(Code::Protocol, "yamux: frame type {} on stream {}", type, header.stream_id);
  }
  if ((header.flags & ~(kSyn | kAck | kFin | kRst)) != 0) {
    return fail(Code::Protocol, "yamux: flags {:#x} are unknown", header.flags);
  }
  return header;
}

}  // namespace ica::p2p::yamux
