#include "common/http/multipart.h"

#include <random>

#include "common/codec/url_escape.h"
#include "common/http/headers.h"

namespace ica::http {

namespace {

constexpr size_t kNone = std::string::npos;
constexpr size_t kMaxPreamble = 64 * 1024;
constexpr size_t kMaxBoundaryLine = 256;  // blanks behind a boundary

std::string_view take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  if (line.ends_with('\r')) {
    line.remove_suffix(1);
  }
  return line;
}

std::string random_boundary() {
  std::random_device device;
  std::string text;
  for (int i = 0; i < 8; ++i) {
    text += fmt::format("{:08x}", device());
  }
  return text;
}

}  // namespace

MultipartParser::MultipartParser(std::string_view boundary)
    : delimiter_("\r\n--" + std::string(boundary)) {}

void MultipartParser::feed(std::string_view bytes) {
  buffer_.erase(0, start_);
  start_ = 0;
  buffer_ += bytes;
}

Result<MultipartParser::Event> MultipartParser::next() {
  switch (state_) {
    case State::Preamble:
      return find_first_boundary();
    case State::Boundary:
      return after_boundary();
    case State::PartHeaders:
      return read_headers();
    case State::Content:
      return read_content();
    case State::Done:
      return Event::End;
  }
  ICA_UNREACHABLE();
}

// Where `delimiter` stands in `text` with something behind it that makes it a boundary and not the
// beginning of a longer word. It may also stand at the very end: more has to come to tell.
size_t MultipartParser::find_delimiter(std::string_view text, std::string_view delimiter) const {
  for (size_t from = 0;;) {
    const size_t at = text.find(delimiter, from);
    if (at == kNone) {
      return kNone;
    }
    const std::string_view next = text.substr(at + delimiter.size(), 1);
    if (next.empty() || std::string_view(" \t\r\n-").find(next) != kNone) {
      return at;
    }
    from = at + 1;
  }
}

// The first boundary may stand at the very start; in front of it is a preamble that means nothing.
Result<MultipartParser::Event> MultipartParser::find_first_boundary() {
  const std::string_view boundary = std::string_view(delimiter_).substr(2);
  for (size_t from = start_;;) {
    const size_t found = find_delimiter(std::string_view(buffer_).substr(from), boundary);
    if (found == kNone) {
      break;
    }
    const size_t at = from + found;
    if (at + boundary.size() == buffer_.size() && !ended_) {
      break;
    }
    if (at == 0 || buffer_[at - 1] == '\n') {
      start_ = at + boundary.size();
      state_ = State::Boundary;
      return after_boundary();
    }
    from = at + 1;
  }
  if (ended_) {
    return fail(Code::Protocol, "multipart: NextPart: EOF");
  }
  if (buffer_.size() > kMaxPreamble) {
    return fail(Code::Protocol, "multipart: no boundary");
  }
  return Event::NeedMore;
}

// Behind "--boundary": a line ending and a part, or "--" and the end. Blanks may stand in between.
Result<MultipartParser::Event> MultipartParser::after_boundary() {
  const std::string_view rest = std::string_view(buffer_).substr(start_);
  const size_t line = rest.find('\n');
  if (line == kNone && !ended_) {
    // The closing boundary often has no line ending, and nobody may wait for one.
    if (rest.starts_with("--")) {
      state_ = State::Done;
      return Event::End;
    }
    if (rest.size() <= kMaxBoundaryLine) {
      return Event::NeedMore;
    }
  }
  std::string_view text = rest.substr(0, line);
  if (line > kMaxBoundaryLine && !text.starts_with("--") && rest.size() > kMaxBoundaryLine) {
    return fail(Code::Protocol, "multipart: expecting a new Part");
  }
  if (text.starts_with("--")) {
    state_ = State::Done;
    return Event::End;
  }
  if (text.ends_with('\r')) {
    text.remove_suffix(1);
  }
  if (line == kNone) {
    return fail(Code::Protocol, "multipart: NextPart: EOF");
  }
  if (!trim(text).empty()) {
    return fail(Code::Protocol, "multipart: expecting a new Part; got line {:?}",
                std::string(text.substr(0, 100)));
  }
  if (first_boundary_ && (line == 0 || rest[line - 1] != '\r')) {
    delimiter_.erase(0, 1);  // a sender of bare line feeds; Go takes its word for it
  }
  first_boundary_ = false;
  start_ += line + 1;
  state_ = State::PartHeaders;
  return read_headers();
}

Result<MultipartParser::Event> MultipartParser::read_headers() {
  std::string_view rest = std::string_view(buffer_).substr(start_);
  size_t end = 0;  // behind the empty line
  for (size_t from = 0;;) {
    const size_t line = rest.find('\n', from);
    if (line == kNone) {
      if (ended_) {
        return fail(Code::Protocol, "multipart: NextPart: EOF");
      }
      if (rest.size() > kMaxPartHeaders) {
        return fail(Code::TooLarge, "multipart: message too large");
      }
      return Event::NeedMore;
    }
    if (line == from || (line == from + 1 && rest[from] == '\r')) {
      end = line + 1;
      break;
    }
    from = line + 1;
  }
  if (end > kMaxPartHeaders) {
    return fail(Code::TooLarge, "multipart: message too large");
  }
  headers_.clear();
  rest = rest.substr(0, end);
  while (true) {
    const std::string_view line = take_line(rest);
    if (line.empty()) {
      break;
    }
    const size_t colon = line.find(':');
    if (line.front() == ' ' || line.front() == '\t') {
      if (headers_.empty()) {
        return fail(Code::Protocol, "malformed MIME header initial line");
      }
      headers_.back().second += ' ';  // folded, which MIME allows
      headers_.back().second += trim(line);
      continue;
    }
    if (colon == kNone || colon == 0) {
      return fail(Code::Protocol, "malformed MIME header line");
    }
    headers_.emplace_back(trim(line.substr(0, colon)), trim(line.substr(colon + 1)));
  }
  start_ += end;
  state_ = State::Content;
  in_content_ = false;
  return Event::Part;
}

Result<MultipartParser::Event> MultipartParser::read_content() {
  const std::string_view rest = std::string_view(buffer_).substr(start_);
  if (!in_content_) {
    // An empty part's boundary may follow its headers directly: their line ending is then also the
    // one in front of the boundary.
    const std::string_view boundary = std::string_view(delimiter_).substr(delimiter_.find('-'));
    if (rest.size() <= boundary.size() && boundary.starts_with(rest) && !ended_) {
      return Event::NeedMore;
    }
    in_content_ = true;
    if (find_delimiter(rest.substr(0, boundary.size() + 1), boundary) == 0) {
      start_ += boundary.size();
      state_ = State::Boundary;
      return Event::PartEnd;
    }
  }
  const size_t at = find_delimiter(rest, delimiter_);
  const bool certain = at != kNone && (at + delimiter_.size() < rest.size() || ended_);
  if (at == 0 && certain) {
    start_ += delimiter_.size();
    state_ = State::Boundary;
    return Event::PartEnd;
  }
  size_t usable = at;
  if (at == kNone) {
    if (ended_ && rest.empty()) {
      return fail(Code::Protocol, "unexpected EOF");
    }
    // The end of what is here may be the start of a boundary.
    usable = rest.size();
    for (size_t n = ended_ ? 0 : std::min(delimiter_.size() - 1, rest.size()); n > 0; --n) {
      if (rest.ends_with(std::string_view(delimiter_).substr(0, n))) {
        usable = rest.size() - n;
        break;
      }
    }
  }
  if (usable == 0) {
    return Event::NeedMore;
  }
  data_.assign(rest.substr(0, usable));
  start_ += usable;
  return Event::Data;
}

MultipartReader::MultipartReader(BodyReader& source, std::string_view boundary)
    : source_(source), parser_(boundary) {}

Task<Result<MultipartParser::Event>> MultipartReader::event() {
  while (true) {
    auto event = parser_.next();
    if (!event || *event != MultipartParser::Event::NeedMore) {
      co_return event;
    }
    auto piece = co_await source_.read();
    if (!piece) {
      co_return fail(std::move(piece).error());
    }
    if (*piece) {
      parser_.feed(**piece);
    } else {
      parser_.feed_end();
    }
  }
}

Task<Result<std::optional<MultipartPart>>> MultipartReader::next() {
  using Event = MultipartParser::Event;
  while (true) {
    CO_TRY(const Event event, co_await this->event());
    in_part_ = false;
    if (event == Event::End) {
      co_return std::nullopt;
    }
    if (event != Event::Part) {
      continue;
    }
    MultipartPart part;
    part.headers = parser_.headers();
    if (const auto disposition =
            parse_media_type(find_header(part.headers, "Content-Disposition"))) {
      part.form_name = disposition->parameter("name");
      part.file_name = disposition->parameter("filename");
      part.has_file_name = disposition->parameters.contains("filename");
    }
    in_part_ = true;
    co_return std::optional<MultipartPart>(std::move(part));
  }
}

Task<Result<std::optional<Bytes>>> MultipartReader::read() {
  if (!in_part_) {
    co_return std::nullopt;
  }
  CO_TRY(const MultipartParser::Event event, co_await this->event());
  if (event == MultipartParser::Event::Data) {
    co_return std::optional<Bytes>(parser_.data());
  }
  in_part_ = false;
  co_return std::nullopt;
}

Result<std::string> multipart_boundary(const Headers& headers) {
  const auto media = parse_media_type(find_header(headers, "Content-Type"));
  if (!media || !media->type.starts_with("multipart/")) {
    return fail(Code::InvalidArgument, "request Content-Type isn't multipart/form-data");
  }
  const std::string_view boundary = media->parameter("boundary");
  if (boundary.empty() || boundary.size() > 1024) {
    return fail(Code::InvalidArgument, "no multipart boundary param in Content-Type");
  }
  return std::string(boundary);
}

MultipartWriter::MultipartWriter() : boundary_(random_boundary()) {}

Bytes MultipartWriter::part(const Headers& headers) {
  Bytes out = first_ ? "--" : "\r\n--";
  first_ = false;
  out += boundary_;
  out += "\r\n";
  for (const auto& [name, value] : headers) {
    out += name;
    out += ": ";
    for (const char c : value) {
      out += c == '\r' || c == '\n' ? ' ' : c;
    }
    out += "\r\n";
  }
  out += "\r\n";
  return out;
}

Bytes MultipartWriter::file(std::string_view form_name, std::string_view file_name,
                            std::string_view content_type) {
  return part(
      {{"Content-Disposition", fmt::format("form-data; name=\"{}\"; filename=\"{}\"",
                                           percent_encode(form_name), percent_encode(file_name))},
       {"Content-Type", std::string(content_type)}});
}

Bytes MultipartWriter::end() {
  return (first_ ? "--" : "\r\n--") + boundary_ + "--\r\n";
}

}  // namespace ica::http
