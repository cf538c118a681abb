#pragma once

#include <algorithm>
#include <string>

#include "agent/adder/part_source.h"

// Multipart bodies told as text, for tests and the fuzz target.
namespace ica::adder::testing {

// A body that arrives in pieces of a chosen size.
class Pieces final : public http::BodyReader {
 public:
  Pieces(std::string data, size_t size) : data_(std::move(data)), size_(size) {}
  Task<Result<std::optional<Bytes>>> read() override {
    if (at_ >= data_.size()) {
      co_return std::optional<Bytes>();
    }
    Bytes piece = data_.substr(at_, size_);
    at_ += piece.size();
    co_return std::optional<Bytes>(std::move(piece));
  }

 private:
  std::string data_;
  size_t size_;
  size_t at_ = 0;
};

inline std::string kind_name(PartKind kind) {
  switch (kind) {
    case PartKind::File:
      return "file";
    case PartKind::Directory:
      return "dir";
    case PartKind::Symlink:
      return "link";
  }
  return "?";
}

inline Task<void> collect(std::string body, size_t size, std::string& out) {
  Pieces pieces(std::move(body), size);
  auto source = read_multipart(pieces, "b1");
  while (true) {
    auto part = co_await source->next();
    if (!part) {
      out += "error " + part.error().message();
      co_return;
    }
    if (!*part) {
      out += "end";
      co_return;
    }
    const std::string head = kind_name((*part)->kind) + " [" + (*part)->path + "] ";
    out += head;
    while (true) {
      auto piece = co_await source->read();
      if (!piece) {
        out += "error " + piece.error().message();
        co_return;
      }
      if (!*piece) {
        break;
      }
      out += **piece;
    }
    out += "; ";
  }
}

// The parts of `body` with the boundary "b1", read in pieces of `size`: "file [path] content; ...",
// "end" or "error ..." at the end.
inline std::string parse(const std::string& body, size_t size) {
  asio::io_context context;
  std::string out;
  asio::co_spawn(context, collect(body, size, out), asio::detached);
  context.run();
  return out;
}

}  // namespace ica::adder::testing
