#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"

// The table of multiaddr protocols. Internal to the multiaddr implementation.
namespace ica::multiaddr_detail {

enum class Kind : uint8_t {
  None,  // no value
  Ip4,
  Ip6,
  Zone,
  Cidr,
  Port,
  Dns,
  Onion,
  Onion3,
  Garlic64,
  Garlic32,
  CertHash,
  HttpPath,
  Peer,
  Unix,
  Memory,
};

struct Protocol {
  uint32_t code;
  int size;  // bytes of the value; -1: a length stands in front
  Kind kind;
  std::string_view name;
};

inline constexpr uint32_t kP2p = 421;

const Protocol* protocol_by_code(uint64_t code);
// Knows the alias "ipfs" of "p2p".
const Protocol* protocol_by_name(std::string_view name);

// The value in binary, from text; and back, for a value that passed check_value. Errors have
// go-multiaddr's words.
Result<Bytes> value_from_text(const Protocol& protocol, std::string_view text);
void append_value_text(std::string& out, const Protocol& protocol, BytesView value);
Status check_value(const Protocol& protocol, BytesView value);

}  // namespace ica::multiaddr_detail
