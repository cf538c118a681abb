#pragma once

#include <array>
#include <cstdint>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace ica::p2p::yamux {

// Frames of /yamux/1.0.0 (facts wire.md 3.3, vectors yamux-trace.json).

enum class Type : uint8_t { Data = 0, WindowUpdate = 1, Ping = 2, GoAway = 3 };

inline constexpr uint16_t kSyn = 1;
inline constexpr uint16_t kAck = 2;
inline constexpr uint16_t kFin = 4;
inline constexpr uint16_t kRst = 8;

inline constexpr size_t kHeaderSize = 12;
inline constexpr uint32_t kInitialWindow = 256 * 1024;

enum class GoAwayCode : uint32_t { Normal = 0, ProtocolError = 1, InternalError = 2 };

struct Header {
  Type type = Type::Data;
  uint16_t flags = 0;
  uint32_t stream_id = 0;
  uint32_t length = 0;  // of the payload, the window delta, the ping value or the go-away code

  friend bool operator==(const Header&, const Header&) = default;
};

std::array<char, kHeaderSize> encode(const Header& header);

// `bytes` are kHeaderSize bytes. Errors: Protocol (version, type or flags unknown, a stream frame
// on stream 0, a session frame on another).
Result<Header> decode_header(BytesView bytes);

}  // namespace ica::p2p::yamux
