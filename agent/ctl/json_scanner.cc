#include "agent/ctl/json_scanner.h"

#include <fmt/format.h>

#include "agent/ctl/text.h"
#include "common/base/json_writer.h"
#include "common/codec/go_quote.h"
#include "common/codec/utf8.h"

namespace ica::ctl {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

int hex_value(char c) {
  if (is_digit(c)) {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// A byte as Go's scanner names it: a rune of the same number, quoted.
std::string quote_char(char c) {
  if (c == '\'') {
    return "'\\''";
  }
  if (c == '"') {
    return "'\"'";
  }
  std::string rune;
  utf8_append(rune, static_cast<uint8_t>(c));
  std::string quoted = go_quote(rune);
  quoted.front() = quoted.back() = '\'';
  return quoted;
}

uint32_t read_hex4(std::string_view digits) {
  uint32_t value = 0;
  for (const char c : digits.substr(0, 4)) {
    value = value << 4 | static_cast<uint32_t>(hex_value(c));
  }
  return value;
}

// The text of a valid string literal without its quotes.
std::string unescape(std::string_view literal) {
  std::string out;
  for (size_t i = 0; i < literal.size(); ++i) {
    if (literal[i] != '\\') {
      out += literal[i];
      continue;
    }
    const char c = literal[++i];
    static constexpr std::string_view kFrom = "bfnrt";
    static constexpr std::string_view kTo = "\b\f\n\r\t";
    if (const size_t at = kFrom.find(c); at != std::string_view::npos) {
      out += kTo[at];
    } else if (c != 'u') {
      out += c;
    } else {
      uint32_t rune = read_hex4(literal.substr(i + 1));
      i += 4;
      const bool pair = rune >= 0xd800 && rune < 0xdc00 && literal.substr(i + 1, 2) == "\\u";
      if (const uint32_t low = pair ? read_hex4(literal.substr(i + 3)) : 0;
          low >= 0xdc00 && low < 0xe000) {
        rune = 0x10000 + ((rune - 0xd800) << 10) + (low - 0xdc00);
        i += 6;
      }
      utf8_append(out, rune >= 0xd800 && rune < 0xe000 ? 0xfffd : rune);
    }
  }
  return out;
}

}  // namespace

void JsonScanner::reset() {
  state_ = State::BeginValue;
  nesting_.clear();
}

JsonScanner::Step JsonScanner::fail_at(char c, std::string_view where) {
  error_ = fmt::format("invalid character {} {}", quote_char(c), where);
  return Step::Error;
}

JsonScanner::Step JsonScanner::begin_value(char c) {
  // As deep as Go goes; beyond it the input is hostile.
  constexpr size_t kMaxDepth = 10000;
  switch (c) {
    case '{':
    case '[':
      if (nesting_.size() >= kMaxDepth) {
        error_ = "exceeded max depth";
        return Step::Error;
      }
      nesting_ += c;
      state_ = c == '{' ? State::BeginKeyOrEnd : State::BeginValueOrEnd;
      return Step::Continue;
    case '"':
      state_ = State::Text;
      return Step::Continue;
    case '-':
      state_ = State::Minus;
      return Step::Continue;
    case 't':
    case 'f':
    case 'n':
      literal_ = c == 't' ? "true" : c == 'f' ? "false" : "null";
      literal_at_ = 1;
      state_ = State::Literal;
      return Step::Continue;
    default:
      if (is_digit(c)) {
        state_ = c == '0' ? State::Zero : State::Digits;
        return Step::Continue;
      }
      return fail_at(c, "looking for beginning of value");
  }
}

JsonScanner::Step JsonScanner::end_value() {
  if (nesting_.empty()) {
    state_ = State::Done;
    return Step::End;
  }
  state_ = State::AfterValue;
  return Step::Continue;
}

JsonScanner::Step JsonScanner::end_number(char c) {
  if (end_value() == Step::End) {
    return Step::EndBefore;
  }
  return is_space(c) ? Step::Continue : after_value(c);
}

JsonScanner::Step JsonScanner::after_value(char c) {
  const bool object = nesting_.back() != '[';
  if (c == ',') {
    state_ = object ? State::BeginKey : State::BeginValue;
    if (object) {
      nesting_.back() = '{';
    }
    return Step::Continue;
  }
  if (c == (object ? '}' : ']')) {
    nesting_.pop_back();
    return end_value();
  }
  return fail_at(c, object ? "after object key:value pair" : "after array element");
}

JsonScanner::Step JsonScanner::step_number(char c) {
  switch (state_) {
    case State::Minus:
      if (!is_digit(c)) {
        return fail_at(c, "in numeric literal");
      }
      state_ = c == '0' ? State::Zero : State::Digits;
      return Step::Continue;
    case State::Dot:
      if (!is_digit(c)) {
        return fail_at(c, "after decimal point in numeric literal");
      }
      state_ = State::Fraction;
      return Step::Continue;
    case State::Exponent:
      if (c == '+' || c == '-') {
        state_ = State::ExponentSign;
        return Step::Continue;
      }
      [[fallthrough]];
    case State::ExponentSign:
      if (!is_digit(c)) {
        return fail_at(c, "in exponent of numeric literal");
      }
      state_ = State::ExponentDigits;
      return Step::Continue;
    default:
      break;
  }
  if (is_digit(c) && state_ != State::Zero) {
    return Step::Continue;
  }
  if (c == '.' && (state_ == State::Zero || state_ == State::Digits)) {
    state_ = State::Dot;
    return Step::Continue;
  }
  if ((c == 'e' || c == 'E') && state_ != State::ExponentDigits) {
    state_ = State::Exponent;
    return Step::Continue;
  }
  return end_number(c);
}

JsonScanner::Step JsonScanner::feed(char c) {
  switch (state_) {
    case State::Text:
      if (c == '"') {
        // A string in key position is followed by a colon, any other one ends a value.
        if (!nesting_.empty() && nesting_.back() == '{') {
          state_ = State::AfterKey;
          return Step::Continue;
        }
        return end_value();
      }
      if (c == '\\') {
        state_ = State::Escape;
      } else if (static_cast<uint8_t>(c) < 0x20) {
        return fail_at(c, "in string literal");
      }
      return Step::Continue;
    case State::Escape:
      if (c == 'u') {
        hex_digits_ = 0;
        state_ = State::Unicode;
        return Step::Continue;
      }
      if (std::string_view("bfnrt\\/\"").find(c) == std::string_view::npos) {
        return fail_at(c, "in string escape code");
      }
      state_ = State::Text;
      return Step::Continue;
    case State::Unicode:
      if (hex_value(c) < 0) {
        return fail_at(c, "in \\u hexadecimal character escape");
      }
      if (++hex_digits_ == 4) {
        state_ = State::Text;
      }
      return Step::Continue;
    case State::Literal:
      if (c != literal_[literal_at_]) {
        return fail_at(c, fmt::format("in literal {} (expecting {})", literal_,
                                      quote_char(literal_[literal_at_])));
      }
      return ++literal_at_ == literal_.size() ? end_value() : Step::Continue;
    case State::Minus:
    case State::Zero:
    case State::Digits:
    case State::Dot:
    case State::Fraction:
    case State::Exponent:
    case State::ExponentSign:
    case State::ExponentDigits:
      return step_number(c);
    default:
      break;
  }
  if (is_space(c)) {
    return Step::Continue;
  }
  switch (state_) {
    case State::BeginValueOrEnd:
      if (c == ']') {
        nesting_.pop_back();
        return end_value();
      }
      [[fallthrough]];
    case State::BeginValue:
      return begin_value(c);
    case State::BeginKeyOrEnd:
      if (c == '}') {
        nesting_.pop_back();
        return end_value();
      }
      [[fallthrough]];
    case State::BeginKey:
      if (c != '"') {
        return fail_at(c, "looking for beginning of object key string");
      }
      state_ = State::Text;
      return Step::Continue;
    case State::AfterKey:
      if (c != ':') {
        return fail_at(c, "after object key");
      }
      nesting_.back() = ':';
      state_ = State::BeginValue;
      return Step::Continue;
    case State::AfterValue:
      return after_value(c);
    default:
      return fail_at(c, "after top-level value");
  }
}

bool JsonScanner::complete_at_end() const {
  const bool number = state_ == State::Zero || state_ == State::Digits ||
                      state_ == State::Fraction || state_ == State::ExponentDigits;
  return state_ == State::Done || (number && nesting_.empty());
}

Status JsonSplitter::feed(std::string_view piece, const Sink& sink) {
  size_t begin = 0;  // of the part of `piece` that belongs to the value being read
  const auto emit = [&](size_t end) {
    std::string_view document = piece.substr(begin, end - begin);
    if (!current_.empty()) {
      current_ += document;
      document = current_;
    }
    while (!document.empty() && is_space(document.front())) {
      document.remove_prefix(1);
    }
    sink(document);
    current_.clear();
    scanner_.reset();
    begin = end;
  };
  for (size_t i = 0; i < piece.size(); ++i) {
    switch (scanner_.feed(piece[i])) {
      case JsonScanner::Step::Continue:
        break;
      case JsonScanner::Step::End:
        emit(i + 1);
        break;
      case JsonScanner::Step::EndBefore:
        emit(i);
        --i;
        break;
      case JsonScanner::Step::Error:
        return fail(Code::Protocol, "{}", scanner_.error());
    }
  }
  if (!scanner_.at_start()) {
    current_ += piece.substr(begin);
    if (current_.size() > max_document_) {
      return fail(Code::TooLarge, "a single JSON value is larger than {} bytes", max_document_);
    }
  }
  return {};
}

Status JsonSplitter::finish(const Sink& sink) {
  if (scanner_.at_start()) {
    return {};
  }
  if (!scanner_.complete_at_end()) {
    return fail(Code::Protocol, "unexpected EOF");
  }
  sink(std::string_view(current_).substr(current_.find_first_not_of(" \t\r\n")));
  current_.clear();
  scanner_.reset();
  return {};
}

Status check_json(std::string_view text) {
  JsonScanner scanner;
  for (const char c : text) {
    JsonScanner::Step step = scanner.feed(c);
    if (step == JsonScanner::Step::EndBefore) {
      step = scanner.feed(c);  // what follows a number must be space
    }
    if (step == JsonScanner::Step::Error) {
      return fail(Code::Protocol, "{}", scanner.error());
    }
  }
  if (!scanner.complete_at_end()) {
    return fail(Code::Protocol, "unexpected end of JSON input");
  }
  return {};
}

std::string indent_json(std::string_view json) {
  std::string out;
  size_t depth = 0;
  const auto new_line = [&] {
    out += '\n';
    out.append(depth * 4, ' ');
  };
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (c == '"') {
      size_t end = i + 1;
      while (json[end] != '"') {
        end += json[end] == '\\' ? 2 : 1;
      }
      append_json_string(out, unescape(json.substr(i + 1, end - i - 1)));
      i = end;
    } else if (c == '{' || c == '[') {
      const size_t next = json.find_first_not_of(" \t\r\n", i + 1);
      out += c;
      if (json[next] == '}' || json[next] == ']') {
        out += json[next];
        i = next;
      } else {
        ++depth;
        new_line();
      }
    } else if (c == '}' || c == ']') {
      --depth;
      new_line();
      out += c;
    } else if (c == ',') {
      out += c;
      new_line();
    } else if (c == ':') {
      out += ": ";
    } else if (!is_space(c)) {
      out += c;
    }
  }
  return out;
}

}  // namespace ica::ctl
