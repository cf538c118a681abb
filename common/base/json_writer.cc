#include "common/base/json_writer.h"

#include <charconv>
#include <cmath>
#include <fmt/format.h>

namespace ica {

namespace {

// Length of the valid UTF-8 sequence at the start of `s`, or 0.
size_t utf8_length(std::string_view s) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) {
    return 1;
  }
  size_t length = 0;
  uint32_t code = 0;
  uint32_t lowest = 0;
  if ((first & 0xe0) == 0xc0) {
    length = 2;
    code = first & 0x1fU;
    lowest = 0x80;
  } else if ((first & 0xf0) == 0xe0) {
    length = 3;
    code = first & 0x0fU;
    lowest = 0x800;
  } else if ((first & 0xf8) == 0xf0) {
    length = 4;
    code = first & 0x07U;
    lowest = 0x10000;
  } else {
    return 0;
  }
  if (s.size() < length) {
    return 0;
  }
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) {
      return 0;
    }
    code = (code << 6) | (byte(i) & 0x3fU);
  }
  if (code < lowest || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
    return 0;
  }
  return length;
}

bool is_plain(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u >= 0x20 && u < 0x80 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  size_t i = 0;
  while (i < text.size()) {
    const size_t start = i;
    while (i < text.size() && is_plain(text[i])) {
      ++i;
    }
    out.append(text.substr(start, i - start));
    if (i == text.size()) {
      break;
    }
    const char c = text[i];
    switch (c) {
      case '"':
        out += "\\\"";
        ++i;
        continue;
      case '\\':
        out += "\\\\";
        ++i;
        continue;
      case '\n':
        out += "\\n";
        ++i;
        continue;
      case '\r':
        out += "\\r";
        ++i;
        continue;
      case '\t':
        out += "\\t";
        ++i;
        continue;
      case '\b':
        out += "\\b";
        ++i;
        continue;
      case '\f':
        out += "\\f";
        ++i;
        continue;
      default:
        break;
    }
    if (static_cast<unsigned char>(c) < 0x80) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
      ++i;
      continue;
    }
    const size_t length = utf8_length(text.substr(i));
    if (length == 0) {
      out += "\\ufffd";
      ++i;
      continue;
    }
    const std::string_view sequence = text.substr(i, length);
    if (sequence == "\xe2\x80\xa8") {
      out += "\\u2028";
    } else if (sequence == "\xe2\x80\xa9") {
      out += "\\u2029";
    } else {
      out.append(sequence);
    }
    i += length;
  }
  out.push_back('"');
}

void JsonWriter::separate() {
  if (comma_) {
    out_.push_back(',');
  }
  comma_ = true;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  append_json_string(out_, name);
  out_.push_back(':');
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::string(std::string_view text) {
  separate();
  append_json_string(out_, text);
  return *this;
}

JsonWriter& JsonWriter::number(int64_t value) {
  separate();
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value);
  out_.append(digits, static_cast<size_t>(end.ptr - digits));
  return *this;
}

JsonWriter& JsonWriter::number(uint64_t value) {
  separate();
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value);
  out_.append(digits, static_cast<size_t>(end.ptr - digits));
  return *this;
}

JsonWriter& JsonWriter::number(double value) {
  separate();
  if (!std::isfinite(value)) {
    out_ += "0";
    return *this;
  }
  // Go uses the exponent form outside of [1e-6, 1e21), with at least one digit after e+ / e-.
  const double magnitude = std::fabs(value);
  char digits[64];
  const bool exponent = magnitude != 0 && (magnitude < 1e-6 || magnitude >= 1e21);
  const auto end =
      std::to_chars(digits, digits + sizeof digits, value,
                    exponent ? std::chars_format::scientific : std::chars_format::fixed);
  std::string text(digits, static_cast<size_t>(end.ptr - digits));
  if (exponent) {
    const size_t e = text.find('e');
    if (e != std::string::npos && text.size() == e + 4 && text[e + 1] == '-' &&
        text[e + 2] == '0') {
      text.erase(e + 2, 1);
    }
  }
  out_ += text;
  return *this;
}

JsonWriter& JsonWriter::boolean(bool value) {
  return raw(value ? "true" : "false");
}

JsonWriter& JsonWriter::null() {
  return raw("null");
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  separate();
  out_.append(json);
  return *this;
}

std::string& JsonWriter::begin_raw() {
  separate();
  return out_;
}

JsonWriter& JsonWriter::begin_object() {
  separate();
  out_.push_back('{');
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  out_.push_back('}');
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::begin_array() {
  separate();
  out_.push_back('[');
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  out_.push_back(']');
  comma_ = true;
  return *this;
}

}  // namespace ica
