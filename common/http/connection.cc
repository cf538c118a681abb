#include "common/http/connection.h"

#include <charconv>

#include "common/base/async.h"
#include "common/http/exchange.h"
#include "common/http/headers.h"

namespace ica::http {

namespace {

bool body_allowed(int status) {
  return status >= 200 && status != 204 && status != 304;
}

std::string_view clipped(std::string_view text) {
  return text.substr(0, 200);
}

}  // namespace

void Connection::process_input() {
  if (processing_) {
    return;  // a handler ended inside the loop below, which goes on
  }
  processing_ = true;
  while (!closed_ && !closing_ && !exchange_ && pending() <= kMaxPending) {
    const size_t limit = server_->options.max_header_bytes;
    const size_t head = find_head_end(in_, scanned_);
    if (head != std::string::npos && head <= limit) {
      start_exchange(head);
      continue;
    }
    if (in_.size() > limit) {
      refuse(refusal(431));
    } else if (const size_t line = line_checked_ ? std::string::npos : in_.find('\n');
               line != std::string::npos) {
      line_checked_ = true;
      std::string_view text = std::string_view(in_).substr(0, line);
      if (text.ends_with('\r')) {
        text.remove_suffix(1);
      }
      if (const auto refused = check_request_line(text)) {
        refuse(*refused);
      }
    }
    break;
  }
  processing_ = false;
  try_flush();
  if (closed_ || closing_) {
    return;
  }
  if (exchange_) {
    if (exchange_->body_done) {
      arm_read();  // only to hear of the client going away
    }
  } else if (pending() <= kMaxPending) {
    await_head();
  }
}

// Nothing to do until more bytes come; what an idle connection does not need is given back.
void Connection::await_head() {
  const ServerOptions& options = server_->options;
  if (in_.empty()) {
    if (!head_begun_) {
      const Duration idle =
          options.idle_timeout.count() > 0 ? options.idle_timeout : options.read_timeout;
      set_read_deadline(idle.count() > 0 ? now_ns() + idle.count() : kNever);
    }
    std::string().swap(in_);
  } else if (!head_begun_) {
    head_begun_ = true;
    const Duration limit = options.read_header_timeout.count() > 0 ? options.read_header_timeout
                                                                   : options.read_timeout;
    set_read_deadline(limit.count() > 0 ? now_ns() + limit.count() : kNever);
  }
  arm_read();
}

bool Connection::start_exchange(size_t head_size) {
  auto exchange = std::make_unique<Exchange>();
  Exchange& x = *exchange;
  const auto refused = parse_head(std::string_view(in_).substr(0, head_size), x.request, x.framing);
  in_.erase(0, head_size);
  scanned_ = 0;
  head_begun_ = false;
  line_checked_ = false;
  if (refused) {
    refuse(*refused);
    return false;
  }
  if (server_->stopping) {
    close();
    return false;
  }
  const ServerOptions& options = server_->options;
  const int64_t now = now_ns();
  x.request.remote = remote_;
  x.request.body = this;
  x.request.stop = x.stop.get_token();
  x.keep_alive = x.framing.keep_alive;
  x.continue_due = x.framing.expect_continue;
  x.body_left = x.framing.length;
  x.body_done = !x.framing.chunked && x.body_left == 0;
  x.no_body = x.request.method == "HEAD";
  x.answer_deadline =
      options.write_timeout.count() > 0 ? now + options.write_timeout.count() : kNever;
  set_read_deadline(options.read_timeout.count() > 0 ? now + options.read_timeout.count() : kNever);
  set_write_deadline(x.answer_deadline);
  server_->stats.requests.fetch_add(1, std::memory_order_relaxed);
  server_->busy.fetch_add(1, std::memory_order_relaxed);
  exchange_ = std::move(exchange);
  spawn(strand_, run(shared_from_this()), "an HTTP request");
  return true;
}

void Connection::refuse(const Refusal& refused) {
  const bool own_line = refused.text.starts_with(std::to_string(refused.status));
  out_ += "HTTP/1.1 ";
  out_ +=
      own_line ? refused.text : fmt::format("{} {}", refused.status, status_text(refused.status));
  out_ += "\r\n";
  if (refused.text.empty()) {
    out_ += "Connection: close\r\n";
    out_ += date_line();
    out_ += "Content-Length: 0\r\n\r\n";
  } else {
    out_ += "Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n";
    out_ += refused.text;
  }
  unread_ = true;
  closing_ = true;
}

Task<void> Connection::run(std::shared_ptr<Connection> self) {
  Exchange& x = *self->exchange_;
  std::string failure;
  try {
    co_await self->server_->handler(x.request, *self);
  } catch (const std::exception& e) {
    failure = e.what();
  } catch (...) {
    failure = "unknown exception";
  }
  if (!self->strand_.running_in_this_thread()) {
    co_await self->enter_strand();
  }
  if (!x.ended) {
    x.keep_alive = false;
    const std::string& name = self->server_->options.name;
    if (!failure.empty()) {
      if (self->server_->limiter.allow("handler failed")) {
        log_error(name, "handler of {} {} failed: {}", x.request.method, clipped(x.request.path),
                  failure);
      }
    } else if (!self->gone_ && !x.request.stop.stop_requested() &&
               self->server_->limiter.allow("no answer")) {
      log_warn(name, "{} {} was closed without {}", x.request.method, clipped(x.request.path),
               x.begun ? "the end of its answer" : "an answer");
    }
  }
  if (x.keep_alive && !x.body_done && !self->gone_) {
    co_await self->discard_body();
  }
  self->end_exchange();
}

// What the handler left of a body has to be out of the way of the next request.
Task<void> Connection::discard_body() {
  Exchange& x = *exchange_;
  try_flush();
  const uint64_t before = x.body_taken;
  set_read_deadline(std::min(read_deadline_, now_ns() + kDiscardTime.count()));
  while (!x.body_done) {
    const auto piece = co_await read();
    if (!piece || x.body_taken - before > kMaxDiscard) {
      x.keep_alive = false;
      break;
    }
  }
}

void Connection::end_exchange() {
  unread_ = !exchange_->body_done;
  const bool again = exchange_->keep_alive && !gone_ && !server_->stopping;
  exchange_.reset();
  server_->busy.fetch_sub(1, std::memory_order_relaxed);
  if (closed_) {
    return;
  }
  set_read_deadline(kNever);
  if (!again) {
    closing_ = true;
  }
  if (!processing_) {
    process_input();
  }
}

Status Connection::decode_body(Bytes& piece) {
  Exchange& x = *exchange_;
  const uint64_t limit = server_->options.max_body_bytes;
  if (x.framing.chunked) {
    auto used = x.chunks.decode(in_, piece);
    if (!used) {
      return fail(std::move(used).error());
    }
    in_.erase(0, *used);
    x.body_done = x.chunks.done();
  } else {
    if (limit > 0 && x.framing.length > limit) {
      return fail(Code::TooLarge, "http: request body too large");
    }
    if (in_.size() <= x.body_left) {
      piece.swap(in_);
    } else {
      piece = in_.substr(0, x.body_left);
      in_.erase(0, x.body_left);
    }
    x.body_left -= piece.size();
    x.body_done = x.body_left == 0;
  }
  x.body_taken += piece.size();
  if (limit > 0 && x.body_taken > limit) {
    return fail(Code::TooLarge, "http: request body too large");
  }
  if (x.body_done) {
    set_read_deadline(kNever);
    arm_read();
  }
  return {};
}

Task<Result<std::optional<Bytes>>> Connection::read() {
  if (!strand_.running_in_this_thread()) {
    co_await enter_strand();
  }
  Exchange& x = *exchange_;
  while (!x.body_done) {
    if (x.continue_due) {
      x.continue_due = false;
      if (!x.begun && in_.empty()) {
        out_ += "HTTP/1.1 100 Continue\r\n\r\n";
        try_flush();
      }
    }
    Bytes piece;
    if (!in_.empty()) {
      if (auto decoded = decode_body(piece); !decoded) {
        x.keep_alive = false;
        co_return fail(std::move(decoded).error());
      }
      if (!piece.empty()) {
        co_return std::optional<Bytes>(std::move(piece));
      }
      if (x.body_done) {
        break;
      }
    }
    if (x.read_timed_out) {
      co_return fail(Code::Timeout, "i/o timeout");
    }
    const auto outcome = fill(kMaxBodyPiece);
    if (outcome == Transport::Outcome::End || outcome == Transport::Outcome::Failed) {
      x.keep_alive = false;
      client_gone();
      co_return fail(Code::Protocol, "unexpected EOF");
    }
    if (outcome != Transport::Outcome::Done) {
      boost::system::error_code ec;
      x.read_waits = true;
      co_await descriptor_.async_wait(
          outcome == Transport::Outcome::WaitRead ? Wait::wait_read : Wait::wait_write,
          asio::redirect_error(asio::use_awaitable, ec));
      x.read_waits = false;
      if (x.read_cancelled) {
        x.read_cancelled = false;
        co_return fail(Code::Cancelled, "context canceled");
      }
    }
  }
  co_return std::nullopt;
}

void Connection::cancel_read() {
  if (exchange_ && exchange_->read_waits) {
    exchange_->read_cancelled = true;
    boost::system::error_code ec;
    descriptor_.cancel(ec);
  }
}

Task<Status> Connection::send(int status, Headers headers, Bytes body) {
  if (!strand_.running_in_this_thread()) {
    co_await enter_strand();
  }
  Exchange& x = *exchange_;
  if (x.begun) {
    co_return fail(Code::Internal, "the answer has begun already");
  }
  x.begun = true;
  x.ended = true;
  std::optional<uint64_t> length;
  if (body_allowed(status) && !(x.no_body && body.empty())) {
    length = body.size();
  }
  append_head(status, headers, length);
  if (!x.no_body && length) {
    if (body.size() <= kMaxPending) {
      out_ += body;
    } else {
      co_return co_await write_through(body);
    }
  }
  // Answers to pipelined requests leave together, when the loop in process_input has run dry.
  if (!processing_ || in_.empty()) {
    try_flush();
  }
  if (pending() > kMaxPending) {
    co_return co_await drain(kMaxPending);
  }
  if (gone_) {
    co_return fail(Code::Closed, "the client is gone");
  }
  co_return Status();
}

Task<Status> Connection::begin(int status, Headers headers) {
  if (!strand_.running_in_this_thread()) {
    co_await enter_strand();
  }
  Exchange& x = *exchange_;
  if (x.begun) {
    co_return fail(Code::Internal, "the answer has begun already");
  }
  const std::string_view own_length = find_header(headers, "Content-Length");
  if (!own_length.empty()) {
    uint64_t length = 0;
    const char* const end = own_length.data() + own_length.size();
    const auto parsed = std::from_chars(own_length.data(), end, length);
    if (parsed.ec != std::errc() || parsed.ptr != end) {
      co_return fail(Code::Internal, "the answer's Content-Length is no number");
    }
    x.answer_left = length;
  }
  x.begun = true;
  x.no_body = x.no_body || !body_allowed(status);
  if (!x.answer_left && !x.no_body) {
    x.chunked_answer = x.request.version >= 11;
    x.keep_alive = x.keep_alive && x.chunked_answer;
  }
  append_head(status, headers, std::nullopt);
  flush_soon();
  if (gone_) {
    co_return fail(Code::Closed, "the client is gone");
  }
  co_return Status();
}

Task<Status> Connection::write(Bytes piece) {
  if (!strand_.running_in_this_thread()) {
    co_await enter_strand();
  }
  Exchange& x = *exchange_;
  if (!x.begun || x.ended) {
    co_return fail(Code::Internal, "write outside of an answer");
  }
  if (gone_) {
    co_return fail(Code::Closed, "the client is gone");
  }
  if (piece.empty() || x.no_body) {
    co_return Status();
  }
  if (x.answer_left) {
    if (piece.size() > *x.answer_left) {
      x.keep_alive = false;
      co_return fail(Code::Internal, "more was written than the declared Content-Length");
    }
    *x.answer_left -= piece.size();
  }
  if (x.chunked_answer) {
    fmt::format_to(std::back_inserter(out_), "{:x}\r\n", piece.size());
  }
  const size_t size = piece.size();
  if (size >= 4 * kMaxPending) {
    if (auto written = co_await write_through(piece); !written) {
      co_return written;
    }
  } else {
    out_ += piece;
  }
  if (x.chunked_answer) {
    out_ += "\r\n";
  }
  if (pending() <= kMaxPending) {
    flush_soon();
  } else {
    try_flush();
    if (pending() > kMaxPending) {
      co_return co_await drain(kMaxPending);
    }
  }
  x.since_yield += size;
  if (x.since_yield > kYieldEvery) {
    x.since_yield = 0;
    co_await enter_strand();
  }
  if (gone_) {
    co_return fail(Code::Closed, "the client is gone");
  }
  co_return Status();
}

Task<Status> Connection::end(Headers trailers) {
  if (!strand_.running_in_this_thread()) {
    co_await enter_strand();
  }
  Exchange& x = *exchange_;
  if (!x.begun || x.ended) {
    co_return fail(Code::Internal, "end outside of an answer");
  }
  x.ended = true;
  if (x.answer_left && *x.answer_left > 0 && !x.no_body) {
    x.keep_alive = false;
  }
  if (x.chunked_answer && !gone_) {
    out_ += "0\r\n";
    for (const auto& [name, value] : trailers) {
      append_field(out_, name, value);
    }
    out_ += "\r\n";
  }
  try_flush();
  if (pending() > kMaxPending) {
    co_return co_await drain(kMaxPending);
  }
  if (gone_) {
    co_return fail(Code::Closed, "the client is gone");
  }
  co_return Status();
}

bool Connection::begun() const {
  return exchange_->begun;
}

void Connection::close_after() {
  exchange_->keep_alive = false;
}

}  // namespace ica::http
