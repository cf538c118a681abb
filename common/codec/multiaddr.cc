#include "common/codec/multiaddr.h"

#include <charconv>

#include "common/codec/go_quote.h"
#include "common/codec/multiaddr_protocol.h"
#include "common/codec/multibase.h"
#include "common/codec/varint.h"

namespace ica {

namespace {

using multiaddr_detail::append_value_text;
using multiaddr_detail::check_value;
using multiaddr_detail::Kind;
using multiaddr_detail::Protocol;
using multiaddr_detail::protocol_by_code;
using multiaddr_detail::protocol_by_name;
using multiaddr_detail::value_from_text;

// Protocols that our table lacks appear in text as /unknown-<code>/<multibase of all that follows>:
// without knowing the protocol nobody can tell where its value ends.
constexpr std::string_view kUnknownPrefix = "unknown-";

struct Piece {
  uint64_t code = 0;
  const Protocol* protocol = nullptr;  // null: unknown, and `value` reaches to the end
  BytesView value;
  size_t size = 0;  // of the whole piece

  bool last_by_nature() const { return protocol == nullptr || protocol->kind == Kind::Unix; }
};

Result<Piece> read_piece(BytesView in) {
  Piece piece;
  BytesView rest = in;
  TRY(piece.code, read_varint(rest));
  piece.protocol = protocol_by_code(piece.code);
  if (piece.protocol == nullptr) {
    piece.value = rest;
    piece.size = in.size();
    return piece;
  }
  uint64_t size = static_cast<uint64_t>(piece.protocol->size);
  if (piece.protocol->size < 0) {
    TRY(size, read_varint(rest));
  }
  if (size > rest.size() || (size == 0 && piece.protocol->kind != Kind::None)) {
    return fail(Code::InvalidArgument, "invalid value for size {}", rest.size());
  }
  piece.value = rest.substr(0, size);
  piece.size = in.size() - rest.size() + size;
  TRY_VOID(check_value(*piece.protocol, piece.value));
  return piece;
}

// For the bytes of a Multiaddr that exists: they were checked when it was made.
class Walk {
 public:
  explicit Walk(BytesView bytes) : rest_(bytes) {}
  bool next(Piece& piece) {
    if (rest_.empty()) {
      return false;
    }
    auto read = read_piece(rest_);
    if (!read.has_value()) {
      return false;
    }
    piece = *read;
    rest_.remove_prefix(piece.size);
    return true;
  }

 private:
  BytesView rest_;
};

std::string name_of(const Piece& piece) {
  return piece.protocol != nullptr ? std::string(piece.protocol->name)
                                   : fmt::format("{}{}", kUnknownPrefix, piece.code);
}

std::string value_of_piece(const Piece& piece) {
  std::string out;
  if (piece.protocol != nullptr) {
    append_value_text(out, *piece.protocol, piece.value);
  } else if (!piece.value.empty()) {
    out = multibase_encode(Multibase::Base64Url, piece.value);
  }
  return out;
}

// The code in "unknown-<code>", if that is a name that name_of would give.
std::optional<uint64_t> unknown_code(std::string_view name) {
  if (!name.starts_with(kUnknownPrefix)) {
    return std::nullopt;
  }
  const std::string_view digits = name.substr(kUnknownPrefix.size());
  uint64_t code = 0;
  const char* const end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, code);
  if (parsed.ec != std::errc() || parsed.ptr != end || std::to_string(code) != digits ||
      (code >> 63) != 0 || protocol_by_code(code) != nullptr) {
    return std::nullopt;
  }
  return code;
}

class TextParser {
 public:
  explicit TextParser(std::string_view text) : text_(text) {
    while (text_.ends_with('/')) {
      text_.remove_suffix(1);
    }
    rest_ = text_;
  }

  Result<Bytes> run() {
    if (!rest_.empty() && rest_[0] != '/') {
      return error("must begin with /");
    }
    if (rest_.empty()) {
      return error("empty multiaddr");
    }
    Bytes out;
    std::string_view name;
    while (take(name)) {
      const Protocol* const protocol = protocol_by_name(name);
      if (protocol == nullptr) {
        if (const auto code = unknown_code(name)) {
          append_varint(out, *code);
          TRY_VOID(rest_as_opaque(out));
          return out;
        }
        return error(fmt::format("unknown protocol {}", name));
      }
      append_varint(out, protocol->code);
      if (protocol->kind == Kind::None) {
        continue;
      }
      TRY_VOID(value(*protocol, out));
    }
    return out;
  }

 private:
  // The text up to the next slash.
  bool take(std::string_view& part) {
    if (rest_.empty()) {
      return false;
    }
    rest_.remove_prefix(1);  // the slash
    part = rest_.substr(0, rest_.find('/'));
    rest_.remove_prefix(part.size());
    return true;
  }

  Status value(const Protocol& protocol, Bytes& out) {
    std::string_view text;
    if (rest_.empty()) {
      return error("unexpected end of multiaddr");
    }
    if (protocol.kind == Kind::Unix) {
      text = rest_;  // with its slash, to the end
      rest_ = {};
    } else {
      take(text);
    }
    const auto bytes = value_from_text(protocol, text);
    if (!bytes.has_value()) {
      return fail(Code::InvalidArgument,
                  "failed to parse multiaddr {}: invalid value {} for protocol {}: {}",
                  go_quote(text_), go_quote(text), protocol.name, bytes.error().message());
    }
    if (const Status checked = check_value(protocol, *bytes); !checked.has_value()) {
      return fail(Code::InvalidArgument,
                  "failed to validate multiaddr {}: invalid value {} for protocol {}: {}",
                  go_quote(text_), go_quote(text), protocol.name, checked.error().message());
    }
    if (protocol.size < 0) {
      append_varint(out, bytes->size());
    }
    out.append(*bytes);
    return {};
  }

  Status rest_as_opaque(Bytes& out) {
    std::string_view text;
    if (!take(text)) {
      return {};
    }
    const auto bytes = multibase_decode(text);
    if (!bytes.has_value() || !rest_.empty()) {
      return error("the value of an unknown protocol must be one multibase text at the end");
    }
    out.append(*bytes);
    return {};
  }

  tl::unexpected<Error> error(std::string_view why) const {
    return fail(Code::InvalidArgument, "failed to parse multiaddr {}: {}", go_quote(text_), why);
  }

  std::string_view text_;
  std::string_view rest_;
};

}  // namespace

Result<Multiaddr> Multiaddr::parse(std::string_view text) {
  if (text.size() > 4 * kMaxBytes) {
    return fail(Code::TooLarge, "multiaddr text is longer than {} characters", 4 * kMaxBytes);
  }
  TRY(const Bytes bytes, TextParser(text).run());
  return from_bytes(bytes);
}

Result<Multiaddr> Multiaddr::from_bytes(BytesView bytes) {
  if (bytes.empty()) {
    return fail(Code::InvalidArgument, "empty multiaddr");
  }
  if (bytes.size() > kMaxBytes) {
    return fail(Code::TooLarge, "multiaddr is longer than {} bytes", kMaxBytes);
  }
  BytesView rest = bytes;
  bool ended = false;
  while (!rest.empty()) {
    TRY(const Piece piece, read_piece(rest));
    if (ended) {
      return fail(Code::InvalidArgument, "unexpected component after path component");
    }
    ended = piece.last_by_nature();
    rest.remove_prefix(piece.size);
  }
  Multiaddr out;
  out.bytes_ = Bytes(bytes);
  return out;
}

std::string Multiaddr::text() const {
  std::string out;
  Walk walk(bytes_);
  Piece piece;
  while (walk.next(piece)) {
    out.push_back('/');
    if (piece.protocol != nullptr) {
      out.append(piece.protocol->name);
      if (piece.protocol->kind == Kind::None) {
        continue;
      }
      if (piece.protocol->kind != Kind::Unix) {
        out.push_back('/');
      }
      append_value_text(out, *piece.protocol, piece.value);
    } else {
      out += name_of(piece);
      if (!piece.value.empty()) {
        out.push_back('/');
        out += value_of_piece(piece);
      }
    }
  }
  return out;
}

std::vector<Multiaddr::Component> Multiaddr::components() const {
  std::vector<Component> out;
  Walk walk(bytes_);
  Piece piece;
  while (walk.next(piece)) {
    out.push_back({piece.code, name_of(piece), value_of_piece(piece)});
  }
  return out;
}

std::optional<std::string> Multiaddr::value_of(std::string_view protocol) const {
  const Protocol* const wanted = protocol_by_name(protocol);
  Walk walk(bytes_);
  Piece piece;
  while (walk.next(piece)) {
    if (wanted != nullptr ? piece.protocol == wanted : name_of(piece) == protocol) {
      return value_of_piece(piece);
    }
  }
  return std::nullopt;
}

std::optional<PeerId> Multiaddr::peer_id() const {
  std::optional<PeerId> found;
  Walk walk(bytes_);
  Piece piece;
  while (walk.next(piece)) {
    if (piece.code == multiaddr_detail::kP2p) {
      auto id = PeerId::from_bytes(piece.value);
      if (id.has_value()) {
        found = std::move(*id);
      }
    }
  }
  return found;
}

Multiaddr Multiaddr::encapsulate(const Multiaddr& other) const {
  Multiaddr out;
  out.bytes_ = bytes_ + other.bytes_;
  return out;
}

Multiaddr Multiaddr::without_peer() const {
  Walk walk(bytes_);
  Piece piece;
  size_t start = 0;
  size_t last_start = 0;
  while (walk.next(piece)) {
    last_start = start;
    start += piece.size;
  }
  Multiaddr out = *this;
  if (!bytes_.empty() && piece.code == multiaddr_detail::kP2p) {
    out.bytes_.resize(last_start);
  }
  return out;
}

Result<DialTarget> dial_target(const Multiaddr& address) {
  DialTarget target;
  bool have_host = false;
  bool have_port = false;
  std::string zone;
  for (const Multiaddr::Component& c : address.components()) {
    const auto host = [&](DialTarget::Kind kind) {
      if (!have_host) {
        target.kind = kind;
        target.host = c.value;
        have_host = true;
      }
    };
    if (c.name == "ip4") {
      host(DialTarget::Kind::Ip4);
    } else if (c.name == "ip6") {
      host(DialTarget::Kind::Ip6);
      if (!zone.empty()) {
        target.host += "%" + zone;
        zone.clear();
      }
    } else if (c.name == "ip6zone") {
      zone = c.value;
    } else if (c.name == "dns") {
      host(DialTarget::Kind::Dns);
    } else if (c.name == "dns4") {
      host(DialTarget::Kind::Dns4);
    } else if (c.name == "dns6") {
      host(DialTarget::Kind::Dns6);
    } else if (c.name == "unix") {
      host(DialTarget::Kind::Unix);
      have_port = true;
    } else if (c.name == "tcp" && !have_port) {
      const auto port =
          std::from_chars(c.value.data(), c.value.data() + c.value.size(), target.port);
      have_port = port.ec == std::errc();
    } else if (c.name == "https" || c.name == "tls" || c.name == "wss") {
      target.tls = true;
    }
  }
  if (!have_host || !have_port) {
    return fail(
        Code::InvalidArgument,
        "{} is not an address to connect to: it needs /ip4, /ip6 or /dns with /tcp, or /unix",
        address.text());
  }
  return target;
}

}  // namespace ica
