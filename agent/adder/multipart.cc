#include "agent/adder/part_source.h"
#include "common/codec/url_escape.h"
#include "common/http/headers.h"

namespace ica::adder {
namespace {

constexpr size_t kMaxHeaderBytes = 16 << 10;

std::string_view without_line_end(std::string_view line) {
  if (line.ends_with('\n')) {
    line.remove_suffix(1);
  }
  if (line.ends_with('\r')) {
    line.remove_suffix(1);
  }
  return line;
}

std::string clean_path(std::string_view path) {
  std::vector<std::string_view> kept;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view piece = path.substr(0, slash);
    path = slash == std::string_view::npos ? "" : path.substr(slash + 1);
    if (piece.empty() || piece == ".") {
      continue;
    }
    if (piece == "..") {
      if (!kept.empty()) {
        kept.pop_back();
      }
      continue;
    }
    kept.push_back(piece);
  }
  std::string out;
  for (const std::string_view piece : kept) {
    if (!out.empty()) {
      out.push_back('/');
    }
    out.append(piece);
  }
  return out;
}

class Multipart final : public PartSource {
 public:
  Multipart(http::BodyReader& body, std::string boundary)
      : body_(body), dash_boundary_("--" + std::move(boundary)) {}

  Task<Result<std::optional<Part>>> next() override {
    while (in_part_) {
      CO_TRY(auto piece, co_await read());
      if (!piece) {
        break;
      }
    }
    bool want_boundary = false;  // after an empty line nothing else may come
    while (!finished_) {
      CO_TRY(auto line, co_await read_line());
      if (!line) {
        co_return fail(Code::InvalidArgument, "multipart: NextPart: EOF");
      }
      switch (classify(*line)) {
        case Line::Delimiter:
          co_return co_await start_part();
        case Line::Final:
          finished_ = true;
          break;
        case Line::Other:
          if (want_boundary) {
            co_return fail(Code::InvalidArgument,
                           "multipart: expecting a new Part; got line \"{}\"",
                           without_line_end(*line));
          }
          if (parts_ > 0) {
            if (*line != newline_) {
              co_return fail(Code::InvalidArgument, "multipart: unexpected line in Next(): \"{}\"",
                             without_line_end(*line));
            }
            want_boundary = true;
          }
          break;  // the text before the first boundary is skipped
      }
    }
    co_return std::optional<Part>();
  }

  Task<Result<std::optional<Bytes>>> read() override {
    while (in_part_) {
      bool at_end = false;
      const size_t ready = content_ready(at_end);
      if (ready > 0) {
        part_read_ = true;
        co_return std::optional<Bytes>(take(ready));
      }
      if (at_end) {
        in_part_ = false;
        break;
      }
      CO_TRY(const bool more, co_await fill());
      if (!more) {
        co_return fail(Code::InvalidArgument, "unexpected EOF");
      }
    }
    co_return std::optional<Bytes>();
  }

 private:
  enum class Line { Delimiter, Final, Other };

  // The next `size` bytes of the buffer. What a large file mostly consists of, a buffer full of
  // content, is passed on without a copy.
  Bytes take(size_t size) {
    if (position_ > 0) {
      Bytes piece = buffer_.substr(position_, size);
      position_ += size;
      return piece;
    }
    Bytes rest = buffer_.substr(size);
    buffer_.resize(size);
    return std::exchange(buffer_, std::move(rest));
  }

  Task<Result<bool>> fill() {
    if (ended_) {
      co_return false;
    }
    if (position_ > 0) {
      buffer_.erase(0, position_);
      position_ = 0;
    }
    CO_TRY(auto piece, co_await body_.read());
    if (!piece) {
      ended_ = true;
      co_return false;
    }
    if (buffer_.empty()) {
      buffer_ = std::move(*piece);
    } else {
      buffer_.append(*piece);
    }
    co_return true;
  }

  // The next line with its end; the unfinished last line when it is a final boundary; nothing at
  // the end.
  Task<Result<std::optional<std::string>>> read_line() {
    size_t searched = 0;
    while (true) {
      const size_t at = buffer_.find('\n', position_ + searched);
      if (at != std::string::npos) {
        std::string line = buffer_.substr(position_, at + 1 - position_);
        position_ = at + 1;
        co_return std::optional<std::string>(std::move(line));
      }
      searched = buffer_.size() - position_;
      if (searched > kMaxHeaderBytes) {
        co_return fail(Code::TooLarge, "multipart: NextPart: bufio: buffer full");
      }
      CO_TRY(const bool more, co_await fill());
      if (!more) {
        std::string line = buffer_.substr(position_);
        position_ = buffer_.size();
        if (classify(line) == Line::Final) {
          co_return std::optional<std::string>(std::move(line));
        }
        co_return std::optional<std::string>();
      }
    }
  }

  Line classify(std::string_view line) {
    if (!line.starts_with(dash_boundary_)) {
      return Line::Other;
    }
    line.remove_prefix(dash_boundary_.size());
    if (line.starts_with("--")) {
      const std::string_view rest = http::trim(without_line_end(line.substr(2)));
      return rest.empty() ? Line::Final : Line::Other;
    }
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) {
      line.remove_prefix(1);
    }
    // A body with bare line feeds is taken as it is; its first boundary decides.
    if (parts_ == 0 && line == "\n") {
      newline_ = "\n";
    }
    return line == newline_ ? Line::Delimiter : Line::Other;
  }

  // What stands in front of a part's content, up to the empty line.
  Task<Result<http::Headers>> read_headers() {
    http::Headers headers;
    size_t total = 0;
    while (true) {
      CO_TRY(const auto line, co_await read_line());
      if (!line) {
        co_return fail(Code::InvalidArgument, "multipart: NextPart: EOF");
      }
      total += line->size();
      if (total > kMaxHeaderBytes) {
        co_return fail(Code::TooLarge, "multipart: message too large");
      }
      const std::string_view text = without_line_end(*line);
      const std::string_view header = http::trim(text);
      if (header.empty()) {
        co_return headers;
      }
      if (header.data() != text.data() && !headers.empty()) {
        headers.back().second.append(" ").append(header);  // a folded line goes on
        continue;
      }
      const size_t colon = header.find(':');
      if (colon == std::string_view::npos) {
        co_return fail(Code::InvalidArgument, "malformed MIME header line: {}", header);
      }
      headers.emplace_back(http::trim(header.substr(0, colon)),
                           http::trim(header.substr(colon + 1)));
    }
  }

  Task<Result<std::optional<Part>>> start_part() {
    ++parts_;
    CO_TRY(const http::Headers headers, co_await read_headers());
    Part part;
    if (const auto content_type = http::find_header(headers, "Content-Type");
        !content_type.empty()) {
      const auto media = http::parse_media_type(content_type);
      if (!media) {
        co_return fail(Code::InvalidArgument, "mime: invalid media parameter");
      }
      if (media->type == "application/x-directory" || media->type == "multipart/form-data") {
        part.kind = PartKind::Directory;
      } else if (media->type == "application/symlink") {
        part.kind = PartKind::Symlink;
      }
    }
    const auto disposition =
        http::parse_media_type(http::find_header(headers, "Content-Disposition"));
    if (disposition) {
      const std::string_view name = disposition->parameter("filename");
      const auto decoded = query_unescape(name);
      part.path = clean_path(decoded ? *decoded : name);
    }
    part.has_origin = !http::find_header(headers, "Abspath-Encoded").empty() ||
                      !http::find_header(headers, "Abspath").empty();
    in_part_ = true;
    part_read_ = false;
    co_return std::optional<Part>(std::move(part));
  }

  // How many bytes at the front of the buffer are surely content; `at_end` when the boundary
  // follows.
  size_t content_ready(bool& at_end) const {
    const std::string_view data = std::string_view(buffer_).substr(position_);
    // The line end before a boundary belongs to it; an empty part has only the header's.
    if (!part_read_ && data.starts_with(dash_boundary_)) {
      const auto after = after_boundary(data.substr(dash_boundary_.size()));
      if (after != After::Content) {
        at_end = after == After::Boundary;
        return 0;
      }
    }
    if (!part_read_ && data.size() < dash_boundary_.size() && dash_boundary_.starts_with(data)) {
      return 0;
    }
    const std::string delimiter = newline_ + dash_boundary_;
    size_t from = 0;
    while (true) {
      const size_t at = data.find(delimiter, from);
      if (at == std::string_view::npos) {
        break;
      }
      const auto after = after_boundary(data.substr(at + delimiter.size()));
      if (after == After::Content) {
        from = at + 1;
        continue;
      }
      at_end = at == 0 && after == After::Boundary;
      return at;
    }
    // Keep back what may be the front of a delimiter.
    const size_t tail = std::min(data.size(), delimiter.size() - 1);
    for (size_t keep = tail; keep > 0; --keep) {
      if (delimiter.starts_with(data.substr(data.size() - keep))) {
        return data.size() - keep;
      }
    }
    return data.size();
  }

  enum class After { Boundary, Content, Unknown };
  After after_boundary(std::string_view rest) const {
    if (rest.empty()) {
      return ended_ ? After::Boundary : After::Unknown;
    }
    return std::string_view(" \t\r\n-").find(rest.front()) != std::string_view::npos
               ? After::Boundary
               : After::Content;
  }

  http::BodyReader& body_;
  const std::string dash_boundary_;
  std::string newline_ = "\r\n";
  Bytes buffer_;
  size_t position_ = 0;
  size_t parts_ = 0;
  bool ended_ = false;  // the body has no more
  bool in_part_ = false;
  bool part_read_ = false;  // something of the present part was handed out
  bool finished_ = false;
};

}  // namespace

Result<std::string> multipart_boundary(std::string_view content_type) {
  const auto parsed = http::parse_media_type(content_type);
  if (!parsed || (parsed->type != "multipart/form-data" && parsed->type != "multipart/mixed")) {
    return fail(Code::InvalidArgument, "request Content-Type isn't multipart/form-data");
  }
  const auto boundary = parsed->parameters.find("boundary");
  if (boundary == parsed->parameters.end()) {
    return fail(Code::InvalidArgument, "no multipart boundary param in Content-Type");
  }
  return boundary->second;
}

std::unique_ptr<PartSource> read_multipart(http::BodyReader& body, std::string boundary) {
  return std::make_unique<Multipart>(body, std::move(boundary));
}

}  // namespace ica::adder
