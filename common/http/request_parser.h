#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/http/server.h"

namespace ica::http {

// Why a request is answered by the server itself and the connection closed. `text` is the body, and
// behind "HTTP/1.1 " the status line too, as Go's net/http writes it: "400 Bad Request".
struct Refusal {
  int status = 400;
  std::string text;
};
Refusal refusal(int status, std::string_view detail = {});

// The number of bytes up to and with the empty line that ends a request's head; npos while it is
// incomplete. `scanned` carries the place to go on from, so that a head that comes byte by byte
// costs no more than one that comes at once; 0 at first.
size_t find_head_end(std::string_view bytes, size_t& scanned);

// Checks a request line (without its line ending) as soon as it is complete: Go answers a bad one
// without waiting for the headers.
std::optional<Refusal> check_request_line(std::string_view line);

// How the body of a request is framed and what the client asked of the connection.
struct Framing {
  bool chunked = false;
  uint64_t length = 0;  // when not chunked
  bool keep_alive = false;
  bool expect_continue = false;
};

// Parses a complete head. Pure: no state besides its arguments. Strict where leniency could make a
// proxy and this server disagree on where a request ends (RFC 9112): two Content-Length fields or
// one beside Transfer-Encoding, folded lines, a space in front of the colon, Transfer-Encoding in
// HTTP/1.0. Lenient where Go is: bare line feeds, any method token, absolute targets.
std::optional<Refusal> parse_head(std::string_view head, Request& request, Framing& framing);

// Takes chunked framing off a request's body. Trailer fields are read and dropped.
class ChunkDecoder {
 public:
  ChunkDecoder();
  ~ChunkDecoder();
  ChunkDecoder(ChunkDecoder&&) noexcept;
  ChunkDecoder& operator=(ChunkDecoder&&) noexcept;

  // Decodes from the front of `bytes`, appends content to `out` and returns how many bytes it used;
  // what it did not use must be at the front of the next call's bytes. Fails with Protocol on bad
  // framing, and on framing lines longer than 8 KiB.
  Result<size_t> decode(std::string_view bytes, Bytes& out);
  // The last chunk and its trailers were decoded.
  bool done() const;

 private:
  class Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace ica::http
