#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/http/server.h"

namespace ica::http {

// Takes a multipart body apart, as Go's mime/multipart does. Pure: bytes go in by feed(), events
// come out by next(). Memory: what feed() got and next() did not hand out; a part's headers are
// bounded. Thread-safety: none.
class MultipartParser {
 public:
  static constexpr size_t kMaxPartHeaders = 64 * 1024;

  enum class Event {
    NeedMore,  // feed() more, or feed_end()
    Part,      // headers() are those of a new part
    Data,      // data() is a piece of the part's content
    PartEnd,
    End,  // the closing boundary; what follows it is ignored
  };

  explicit MultipartParser(std::string_view boundary);

  void feed(std::string_view bytes);
  // Nothing more will come: what was waited for is an error from now on.
  void feed_end() { ended_ = true; }
  // Errors: Protocol, with Go's words ("multipart: NextPart: EOF", "unexpected EOF").
  Result<Event> next();
  const Headers& headers() const { return headers_; }
  Bytes data() { return std::move(data_); }

 private:
  enum class State { Preamble, Boundary, PartHeaders, Content, Done };

  Result<Event> find_first_boundary();
  Result<Event> after_boundary();
  Result<Event> read_headers();
  Result<Event> read_content();

  size_t find_delimiter(std::string_view text, std::string_view delimiter) const;

  std::string delimiter_;  // "\r\n--boundary"
  std::string buffer_;
  size_t start_ = 0;  // of what is not used yet
  State state_ = State::Preamble;
  bool first_boundary_ = true;
  bool in_content_ = false;
  bool ended_ = false;
  Headers headers_;
  Bytes data_;
};

struct MultipartPart {
  Headers headers;
  std::string form_name;  // of Content-Disposition
  std::string file_name;  // the same, as sent: still percent-encoded where the sender did that
  bool has_file_name = false;
};

// Reads the parts of a request's body as they come. `source` must outlive it. Thread-safety: one
// coroutine.
class MultipartReader {
 public:
  MultipartReader(BodyReader& source, std::string_view boundary);

  // The next part, over what is left of the current one; nothing after the last.
  Task<Result<std::optional<MultipartPart>>> next();
  // The next piece of the current part; nothing at its end.
  Task<Result<std::optional<Bytes>>> read();

 private:
  Task<Result<MultipartParser::Event>> event();

  BodyReader& source_;
  MultipartParser parser_;
  bool in_part_ = false;
};

// The boundary of a request that is multipart of any kind. Errors (InvalidArgument) have the
// reference's words: "request Content-Type isn't multipart/form-data", "no multipart boundary param
// in Content-Type".
Result<std::string> multipart_boundary(const Headers& headers);

// Makes the pieces of a multipart/form-data body, to be sent in order with the parts' contents
// between:
//   stream->write(writer.part({...})); stream->write(content); ... stream->write(writer.end());
// Thread-safety: none.
class MultipartWriter {
 public:
  MultipartWriter();  // with a random boundary
  explicit MultipartWriter(std::string boundary) : boundary_(std::move(boundary)) {}

  std::string content_type() const { return "multipart/form-data; boundary=" + boundary_; }
  // What stands in front of a part's content.
  Bytes part(const Headers& headers);
  // A part with `Content-Disposition: form-data; name="..."; filename="..."` and a Content-Type;
  // the file name is percent-encoded as Kubo and the reference expect it.
  Bytes file(std::string_view form_name, std::string_view file_name, std::string_view content_type);
  Bytes end();

 private:
  std::string boundary_;
  bool first_ = true;
};

}  // namespace ica::http
