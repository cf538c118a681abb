#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/asio.h"
#include "common/base/bytes.h"
#include "common/http/server.h"

namespace ica::adder {

// What one part of the upload is.
enum class PartKind { File, Directory, Symlink };

struct Part {
  PartKind kind = PartKind::File;
  // Cleaned relative path, "tree/sub/c.txt": no leading slash, no "." or ".." components. Empty for
  // a part without a file name.
  std::string path;
  bool has_origin = false;  // the part says its path or URL at the client
};

// The parts of an upload, one after the other. Thread-safety: one coroutine at a time.
class PartSource {
 public:
  virtual ~PartSource() = default;
  // Goes to the next part, skipping what is left of the present one; nothing after the last part.
  virtual Task<Result<std::optional<Part>>> next() = 0;
  // The next piece of the present part's content (any size above 0), nothing at its end. For a
  // symlink the content is the target.
  virtual Task<Result<std::optional<Bytes>>> read() = 0;
};

// The boundary of a multipart Content-Type. Errors (InvalidArgument): "request Content-Type isn't
// multipart/form-data", "no multipart boundary param in Content-Type".
Result<std::string> multipart_boundary(std::string_view content_type);

// Reads a multipart body (form-data or mixed) as Go's mime/multipart and boxo's files package do:
// percent-decoded file names, application/x-directory, application/symlink. Memory: one read of the
// body plus one part header (at most 16 KiB). Errors: "multipart: NextPart: EOF" for a body without
// the boundary, "unexpected EOF" for one that is cut short, and the body's own. `body` must outlive
// it.
std::unique_ptr<PartSource> read_multipart(http::BodyReader& body, std::string boundary);

}  // namespace ica::adder
