#include <ctime>

#include "common/http/connection.h"
#include "common/http/exchange.h"
#include "common/http/headers.h"

namespace ica::http {

std::string_view date_line() {
  thread_local std::time_t made_at = -1;
  thread_local char line[64];
  thread_local size_t size = 0;
  const std::time_t now = std::time(nullptr);
  if (now != made_at) {
    std::tm utc{};
    gmtime_r(&now, &utc);
    // Not strftime's %a and %b: those follow the locale.
    static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto end = fmt::format_to_n(
        line, sizeof line, "Date: {}, {:02} {} {} {:02}:{:02}:{:02} GMT\r\n", kDays[utc.tm_wday],
        utc.tm_mday, kMonths[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
    size = std::min(end.size, sizeof line);
    made_at = now;
  }
  return {line, size};
}

// A line break in a value would end the field; Go writes a space in its place.
void append_field(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  const size_t start = out.size();
  out += value;
  for (size_t i = start; i < out.size(); ++i) {
    if (out[i] == '\r' || out[i] == '\n') {
      out[i] = ' ';
    }
  }
  out += "\r\n";
}

void Connection::append_head(int status, const Headers& headers, std::optional<uint64_t> length) {
  Exchange& x = *exchange_;
  const bool http11 = x.request.version >= 11;
  if (!x.body_done && (x.continue_due || x.body_left > kMaxDiscard)) {
    x.keep_alive = false;
  }
  if (server_->stopping) {
    x.keep_alive = false;
  }
  const std::string_view reason = status_text(status);
  out_ += http11 ? "HTTP/1.1 " : "HTTP/1.0 ";
  fmt::format_to(std::back_inserter(out_), "{} ", status);
  out_ += reason.empty() ? fmt::format("status code {}", status) : reason;
  out_ += "\r\n";
  bool dated = false, connection = false;
  for (const auto& [name, value] : headers) {
    if (iequals(name, "Transfer-Encoding") || (iequals(name, "Content-Length") && length)) {
      continue;
    }
    if (iequals(name, "Connection")) {
      connection = true;
      x.keep_alive = x.keep_alive && !iequals(trim(value), "close");
    }
    dated = dated || iequals(name, "Date");
    append_field(out_, name, value);
  }
  if (!dated) {
    out_ += date_line();
  }
  if (length) {
    fmt::format_to(std::back_inserter(out_), "Content-Length: {}\r\n", *length);
  }
  if (x.chunked_answer) {
    out_ += "Transfer-Encoding: chunked\r\n";
  }
  if (!connection && http11 != x.keep_alive) {
    out_ += http11 ? "Connection: close\r\n" : "Connection: keep-alive\r\n";
  }
  out_ += "\r\n";
}

}  // namespace ica::http
