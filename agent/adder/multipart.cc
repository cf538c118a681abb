#include <map>

#include "agent/adder/part_source.h"
#include "common/codec/url_escape.h"

namespace ica::adder {
namespace {

constexpr size_t kMaxHeaderBytes = 16 << 10;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

std::string_view trim(std::string_view s) {
  while (!s.empty() && is_space(s.front())) {
    s.remove_prefix(1);
  }
  while (!s.empty() && is_space(s.back())) {
    s.remove_suffix(1);
  }
  return s;
}

std::string lower(std::string_view s) {
  std::string out(s);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') {
      c = static_cast<char>(c - 'A' + 'a');
    }
  }
  return out;
}

struct MediaType {
  std::string type;                           // lower case
  std::map<std::string, std::string> params;  // names in lower case
};

// A header value such as `form-data; name="file"; filename="a.txt"`. Nothing when it is malformed.
std::optional<MediaType> parse_media_type(std::string_view text) {
  MediaType out;
  const size_t semicolon = text.find(';');
  out.type = lower(trim(text.substr(0, semicolon)));
  if (out.type.empty()) {
    return std::nullopt;
  }
  std::string_view rest = semicolon == std::string_view::npos ? "" : text.substr(semicolon);
  while (true) {
    rest = trim(rest);
    if (rest.empty()) {
      break;
    }
    if (rest.front() != ';') {
      return std::nullopt;
    }
    rest = trim(rest.substr(1));
    if (rest.empty()) {
      break;  // a trailing semicolon is fine
    }
    const size_t equals = rest.find('=');
    if (equals == std::string_view::npos) {
      return std::nullopt;
    }
    std::string name = lower(trim(rest.substr(0, equals)));
    rest.remove_prefix(equals + 1);
    std::string value;
    if (!rest.empty() && rest.front() == '"') {
      size_t i = 1;
      for (; i < rest.size() && rest[i] != '"'; ++i) {
        if (rest[i] == '\\' && i + 1 < rest.size() && (rest[i + 1] == '"' || rest[i + 1] == '\\')) {
          ++i;
        }
        value.push_back(rest[i]);
      }
      if (i >= rest.size()) {
        return std::nullopt;
      }
      rest.remove_prefix(i + 1);
    } else {
      const size_t end = rest.find(';');
      value = std::string(trim(rest.substr(0, end)));
      rest = end == std::string_view::npos ? "" : rest.substr(end);
    }
    // RFC 2231: filename*=UTF-8''na%C3%AFve.txt
    if (name.size() > 1 && name.back() == '*') {
      const size_t quote = value.find("''");
      if (quote == std::string::npos) {
        continue;
      }
      auto decoded = path_unescape(std::string_view(value).substr(quote + 2));
      if (!decoded) {
        continue;
      }
      name.pop_back();
      value = std::move(*decoded);
    }
    out.params[name] = std::move(value);
  }
  return out;
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
                           "multipart: expecting a new Part; got line \"{}\"", trim(*line));
          }
          if (parts_ > 0) {
            if (*line != newline_) {
              co_return fail(Code::InvalidArgument, "multipart: unexpected line in Next(): \"{}\"",
                             trim(*line));
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
      const std::string_view rest = line.substr(2);
      return trim(rest).empty() ? Line::Final : Line::Other;
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

  Task<Result<std::optional<Part>>> start_part() {
    ++parts_;
    std::string disposition;
    std::string content_type;
    size_t total = 0;
    while (true) {
      CO_TRY(auto line, co_await read_line());
      if (!line) {
        co_return fail(Code::InvalidArgument, "multipart: NextPart: EOF");
      }
      total += line->size();
      if (total > kMaxHeaderBytes) {
        co_return fail(Code::TooLarge, "multipart: message too large");
      }
      const std::string_view header = trim(*line);
      if (header.empty()) {
        break;
      }
      const size_t colon = header.find(':');
      if (colon == std::string_view::npos) {
        co_return fail(Code::InvalidArgument, "malformed MIME header line: {}", header);
      }
      const std::string name = lower(trim(header.substr(0, colon)));
      if (name == "content-disposition") {
        disposition = std::string(trim(header.substr(colon + 1)));
      } else if (name == "content-type") {
        content_type = std::string(trim(header.substr(colon + 1)));
      }
    }
    Part part;
    if (!content_type.empty()) {
      const auto type = parse_media_type(content_type);
      if (!type) {
        co_return fail(Code::InvalidArgument, "mime: invalid media parameter");
      }
      if (type->type == "application/x-directory" || type->type == "multipart/form-data") {
        part.kind = PartKind::Directory;
      } else if (type->type == "application/symlink") {
        part.kind = PartKind::Symlink;
      }
    }
    if (auto parsed = parse_media_type(disposition)) {
      std::string name = std::move(parsed->params["filename"]);
      if (auto decoded = query_unescape(name)) {
        name = std::move(*decoded);
      }
      part.path = clean_path(name);
    }
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
    return is_space(rest.front()) || rest.front() == '-' ? After::Boundary : After::Content;
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
  const auto parsed = parse_media_type(content_type);
  if (!parsed || (parsed->type != "multipart/form-data" && parsed->type != "multipart/mixed")) {
    return fail(Code::InvalidArgument, "request Content-Type isn't multipart/form-data");
  }
  const auto boundary = parsed->params.find("boundary");
  if (boundary == parsed->params.end()) {
    return fail(Code::InvalidArgument, "no multipart boundary param in Content-Type");
  }
  return boundary->second;
}

std::unique_ptr<PartSource> read_multipart(http::BodyReader& body, std::string boundary) {
  return std::make_unique<Multipart>(body, std::move(boundary));
}

}  // namespace ica::adder
