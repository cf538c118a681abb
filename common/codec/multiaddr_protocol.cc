#include "common/codec/multiaddr_protocol.h"

#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstring>
#include <iterator>

#include "common/base/ascii.h"
#include "common/codec/base58.h"
#include "common/codec/cid.h"
#include "common/codec/go_quote.h"
#include "common/codec/multibase.h"
#include "common/codec/multihash.h"
#include "common/codec/url_escape.h"

namespace ica::multiaddr_detail {

namespace {

constexpr std::array<Protocol, 38> kProtocols = {{
    {4, 4, Kind::Ip4, "ip4"},
    {6, 2, Kind::Port, "tcp"},
    {kP2p, -1, Kind::Peer, "p2p"},
    {53, -1, Kind::Dns, "dns"},
    {54, -1, Kind::Dns, "dns4"},
    {55, -1, Kind::Dns, "dns6"},
    {56, -1, Kind::Dns, "dnsaddr"},
    {273, 2, Kind::Port, "udp"},
    {33, 2, Kind::Port, "dccp"},
    {41, 16, Kind::Ip6, "ip6"},
    {42, -1, Kind::Zone, "ip6zone"},
    {43, 1, Kind::Cidr, "ipcidr"},
    {132, 2, Kind::Port, "sctp"},
    {290, 0, Kind::None, "p2p-circuit"},
    {444, 12, Kind::Onion, "onion"},
    {445, 37, Kind::Onion3, "onion3"},
    {446, -1, Kind::Garlic64, "garlic64"},
    {447, -1, Kind::Garlic32, "garlic32"},
    {302, 0, Kind::None, "utp"},
    {301, 0, Kind::None, "udt"},
    {460, 0, Kind::None, "quic"},
    {461, 0, Kind::None, "quic-v1"},
    {465, 0, Kind::None, "webtransport"},
    {466, -1, Kind::CertHash, "certhash"},
    {480, 0, Kind::None, "http"},
    {481, -1, Kind::HttpPath, "http-path"},
    {443, 0, Kind::None, "https"},
    {400, -1, Kind::Unix, "unix"},
    {276, 0, Kind::None, "p2p-webrtc-direct"},
    {448, 0, Kind::None, "tls"},
    {449, -1, Kind::Dns, "sni"},
    {454, 0, Kind::None, "noise"},
    {477, 0, Kind::None, "ws"},
    {478, 0, Kind::None, "wss"},
    {7367777, 0, Kind::None, "plaintextv2"},
    {280, 0, Kind::None, "webrtc-direct"},
    {281, 0, Kind::None, "webrtc"},
    {777, 8, Kind::Memory, "memory"},
}};

template <typename... Args>
tl::unexpected<Error> bad(fmt::format_string<Args...> format, Args&&... args) {
  return fail(Code::InvalidArgument, format, std::forward<Args>(args)...);
}

// strconv.ParseUint(text, 10, bits).
Result<uint64_t> parse_uint(std::string_view text, uint64_t highest) {
  uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (text.empty() || parsed.ptr != end || parsed.ec == std::errc::invalid_argument) {
    return bad("strconv.ParseUint: parsing {}: invalid syntax", go_quote(text));
  }
  if (parsed.ec == std::errc::result_out_of_range || value > highest) {
    return bad("strconv.ParseUint: parsing {}: value out of range", go_quote(text));
  }
  return value;
}

Bytes big_endian(uint64_t value, size_t size) {
  Bytes out(size, '\0');
  for (size_t i = size; i-- > 0;) {
    out[i] = static_cast<char>(value);
    value >>= 8;
  }
  return out;
}

uint64_t from_big_endian(BytesView bytes) {
  uint64_t value = 0;
  for (const char c : bytes) {
    value = (value << 8) | static_cast<uint8_t>(c);
  }
  return value;
}

void append_number(std::string& out, uint64_t value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, end.ptr);
}

constexpr std::string_view kMappedPrefix("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);

// net.ParseIP: an address of either family, always as 16 bytes.
bool parse_ip(std::string_view text, Bytes& out) {
  const std::string z(text);
  if (z.size() != std::strlen(z.c_str())) {
    return false;
  }
  in_addr v4{};
  if (inet_pton(AF_INET, z.c_str(), &v4) == 1) {
    out.assign(kMappedPrefix);
    out.append(reinterpret_cast<const char*>(&v4), sizeof v4);
    return true;
  }
  in6_addr v6{};
  if (inet_pton(AF_INET6, z.c_str(), &v6) == 1) {
    out.assign(reinterpret_cast<const char*>(&v6), sizeof v6);
    return true;
  }
  return false;
}

void append_ip4(std::string& out, BytesView b) {
  for (size_t i = 0; i < 4; ++i) {
    if (i > 0) {
      out.push_back('.');
    }
    append_number(out, static_cast<uint8_t>(b[i]));
  }
}

// RFC 5952. Not inet_ntop, which writes some addresses with an IPv4 tail where Go does not.
void append_ip6(std::string& out, BytesView b) {
  if (b.starts_with(kMappedPrefix)) {
    out += "::ffff:";
    append_ip4(out, b.substr(12));
    return;
  }
  const auto group = [&](size_t i) { return from_big_endian(b.substr(2 * i, 2)); };
  size_t best = 8;
  size_t best_length = 1;
  for (size_t i = 0; i < 8;) {
    size_t k = i;
    while (k < 8 && group(k) == 0) {
      ++k;
    }
    if (k - i > best_length) {
      best = i;
      best_length = k - i;
    }
    i = k + 1;
  }
  for (size_t i = 0; i < 8;) {
    if (i == best) {
      out += "::";
      i += best_length;
      continue;
    }
    if (i > 0 && i != best + best_length) {
      out.push_back(':');
    }
    fmt::format_to(std::back_inserter(out), "{:x}", group(i));
    ++i;
  }
}

// The reference's RFC 4648 reader with mandatory padding.
Result<Bytes> base32_padded(std::string_view text) {
  return multibase_decode("c" + ascii_lower(text));
}

Result<Bytes> onion_from_text(std::string_view text, bool v3) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos) {
    return bad("failed to parse onion addr: {} does not contain a port number", text);
  }
  const std::string_view host = text.substr(0, colon);
  if (v3 && host.size() != 56) {
    return bad("failed to parse onion addr: {} not a Tor onionv3 address. len == {}", text,
               host.size());
  }
  auto bytes = base32_padded(host);
  if (!bytes.has_value()) {
    return bad("failed to decode base32 onion addr: {} {}", text, bytes.error().message());
  }
  if (!v3 && bytes->size() != 10) {
    return bad("failed to parse onion addr: {} not a Tor onion address", text);
  }
  const auto port = parse_uint(text.substr(colon + 1), 0xffff);
  if (!port.has_value()) {
    return bad("failed to parse onion addr: {}", port.error().message());
  }
  if (*port == 0) {
    return bad("failed to parse onion addr: non-zero port");
  }
  return *bytes + big_endian(*port, 2);
}

Result<Bytes> peer_from_text(std::string_view text) {
  if (text.starts_with("Qm") || text.starts_with("1")) {
    auto bytes = base58_decode(text);
    if (!bytes.has_value()) {
      return bad("failed to parse p2p addr: {} input isn't valid multihash", text);
    }
    if (const auto hash = decode_multihash(*bytes); !hash.has_value()) {
      return bad("failed to parse p2p addr: {} {}", text, hash.error().message());
    }
    return bytes;
  }
  const auto cid = Cid::parse(text);
  if (!cid.has_value()) {
    return bad("failed to parse p2p addr: {} {}", text, cid.error().message());
  }
  if (cid->codec() != multicodec::kLibp2pKey) {
    return bad("failed to parse p2p addr: {} has the invalid codec {}", text, cid->codec());
  }
  return Bytes(cid->multihash());
}

Status check_peer(BytesView value) {
  const auto hash = decode_multihash(value);
  if (!hash.has_value()) {
    return bad("invalid multihash: {}", hash.error().message());
  }
  if (hash->code != multicodec::kSha2_256 && hash->code != multicodec::kIdentity) {
    return bad("invalid multihash code {} expected sha-256 or identity", hash->code);
  }
  if (hash->code == multicodec::kSha2_256 && hash->digest.size() != 32) {
    return bad("invalid digest length {} for sha256 addr: expected 32", hash->digest.size());
  }
  return {};
}

// I2P writes base64 with - and ~ in place of + and /.
Result<Bytes> garlic64_from_text(std::string_view text) {
  std::string standard(text);
  for (char& c : standard) {
    c = c == '-' ? '+' : c == '~' ? '/' : c == '+' || c == '/' ? '!' : c;
  }
  auto bytes = base64_decode(standard);
  if (!bytes.has_value()) {
    return bad("failed to decode base64 i2p addr: {} {}", text, bytes.error().message());
  }
  return bytes;
}

Result<Bytes> garlic32_from_text(std::string_view text) {
  std::string padded(text);
  padded.append((8 - padded.size() % 8) % 8, '=');
  if (padded != ascii_lower(padded)) {
    return bad("failed to decode base32 garlic addr: {}, err: {} len: {}", padded,
               "upper case letters", padded.size());
  }
  auto bytes = base32_padded(padded);
  if (!bytes.has_value()) {
    return bad("failed to decode base32 garlic addr: {}, err: {} len: {}", padded,
               bytes.error().message(), padded.size());
  }
  return bytes;
}

Status check_onion_port(BytesView port) {
  if (from_big_endian(port) == 0) {
    return bad("invalid port 0 for onion addr");
  }
  return {};
}

}  // namespace

const Protocol* protocol_by_code(uint64_t code) {
  for (const Protocol& p : kProtocols) {
    if (p.code == code) {
      return &p;
    }
  }
  return nullptr;
}

const Protocol* protocol_by_name(std::string_view name) {
  if (name == "ipfs") {
    name = "p2p";
  }
  for (const Protocol& p : kProtocols) {
    if (p.name == name) {
      return &p;
    }
  }
  return nullptr;
}

Result<Bytes> value_from_text(const Protocol& protocol, std::string_view text) {
  Bytes ip;
  switch (protocol.kind) {
    case Kind::None:
      return Bytes();
    case Kind::Ip4:
      if (!parse_ip(text, ip) || !BytesView(ip).starts_with(kMappedPrefix)) {
        return bad("failed to parse ip4 addr: {}", text);
      }
      return ip.substr(12);
    case Kind::Ip6:
      if (!parse_ip(text, ip)) {
        return bad("failed to parse ip6 addr: {}", text);
      }
      return ip;
    case Kind::Zone:
      if (text.empty()) {
        return bad("empty ip6zone");
      }
      return Bytes(text);
    case Kind::Cidr: {
      TRY(const uint64_t value, parse_uint(text, 0xff));
      return big_endian(value, 1);
    }
    case Kind::Port: {
      const auto port = parse_uint(text, 0xffff);
      if (!port.has_value()) {
        return bad("failed to parse port addr: {}", port.error().message());
      }
      return big_endian(*port, 2);
    }
    case Kind::Dns:
      if (text.empty()) {
        return bad("empty dns addr");
      }
      return Bytes(text);
    case Kind::Onion:
      return onion_from_text(text, false);
    case Kind::Onion3:
      return onion_from_text(text, true);
    case Kind::Garlic64:
      return garlic64_from_text(text);
    case Kind::Garlic32:
      return garlic32_from_text(text);
    case Kind::CertHash: {
      TRY(Bytes bytes, multibase_decode(text));
      TRY_VOID(check_value(protocol, bytes));
      return bytes;
    }
    case Kind::HttpPath: {
      TRY(Bytes bytes, query_unescape(text));
      if (bytes.empty()) {
        return bad("empty http path is not allowed");
      }
      return bytes;
    }
    case Kind::Peer: {
      TRY(Bytes bytes, peer_from_text(text));
      TRY_VOID(check_peer(bytes));
      return bytes;
    }
    case Kind::Unix:
      return Bytes(text);
    case Kind::Memory: {
      TRY(const uint64_t value, parse_uint(text, ~0ULL));
      return big_endian(value, 8);
    }
  }
  ICA_UNREACHABLE();
}

void append_value_text(std::string& out, const Protocol& protocol, BytesView value) {
  switch (protocol.kind) {
    case Kind::None:
      return;
    case Kind::Ip4:
      return append_ip4(out, value);
    case Kind::Ip6:
      return append_ip6(out, value);
    case Kind::Zone:
    case Kind::Dns:
    case Kind::Unix:
      out.append(value);
      return;
    case Kind::Cidr:
    case Kind::Port:
    case Kind::Memory:
      return append_number(out, from_big_endian(value));
    case Kind::Onion:
    case Kind::Onion3:
      append_base32(out, value.substr(0, value.size() - 2));
      out.push_back(':');
      return append_number(out, from_big_endian(value.substr(value.size() - 2)));
    case Kind::Garlic64: {
      std::string text = base64(value);
      for (char& c : text) {
        c = c == '+' ? '-' : c == '/' ? '~' : c;
      }
      out += text;
      return;
    }
    case Kind::Garlic32:
      return append_base32(out, value);
    case Kind::CertHash:
      out += multibase_encode(Multibase::Base64Url, value);
      return;
    case Kind::HttpPath:
      return append_query_escaped(out, value);
    case Kind::Peer:
      return append_base58(out, value);
  }
  ICA_UNREACHABLE();
}

Status check_value(const Protocol& protocol, BytesView value) {
  switch (protocol.kind) {
    case Kind::Zone:
      if (value.empty()) {
        return bad("invalid length (should be > 0)");
      }
      if (value.find('/') != BytesView::npos) {
        return bad("IPv6 zone ID contains '/': {}", value);
      }
      return {};
    case Kind::Dns:
      if (value.empty()) {
        return bad("empty dns addr");
      }
      if (value.find('/') != BytesView::npos) {
        return bad("domain name {} contains a slash", go_quote(value));
      }
      return {};
    case Kind::Onion:
      if (value.size() != 12) {
        return bad("invalid len for onion addr: got {} expected 12", value.size());
      }
      return check_onion_port(value.substr(10));
    case Kind::Onion3:
      if (value.size() != 37) {
        return bad("invalid len for onion addr: got {} expected 37", value.size());
      }
      return check_onion_port(value.substr(35));
    case Kind::Garlic64:
      if (value.size() < 386) {
        return bad("failed to validate garlic addr: {} not an i2p base64 address. len: {}", value,
                   value.size());
      }
      return {};
    case Kind::Garlic32:
      if (value.size() < 35 && value.size() != 32) {
        return bad("failed to validate garlic addr: {} not an i2p base32 address. len: {}", value,
                   value.size());
      }
      return {};
    case Kind::CertHash:
      if (const auto hash = decode_multihash(value); !hash.has_value()) {
        return fail(hash.error());
      }
      return {};
    case Kind::HttpPath:
      if (value.empty()) {
        return bad("empty http path is not allowed");
      }
      return {};
    case Kind::Peer:
      return check_peer(value);
    case Kind::Unix:
      if (value.size() < 2) {
        return bad("byte slice too short: {}", value.size());
      }
      if (value.front() != '/') {
        return bad("path protocol must begin with '/'");
      }
      if (value.back() == '/') {
        return bad("unix socket path must not end in '/'");
      }
      return {};
    case Kind::None:
    case Kind::Ip4:
    case Kind::Ip6:
    case Kind::Cidr:
    case Kind::Port:
    case Kind::Memory:
      return {};  // any bytes of the right length will do, and the length is known by the table
  }
  ICA_UNREACHABLE();
}

}  // namespace ica::multiaddr_detail
