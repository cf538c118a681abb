#include <sys/socket.h>
#include <unistd.h>

#include "common/http/connection.h"
#include "common/http/exchange.h"

namespace ica::http {

namespace {

// Bytes are received into the thread's one buffer, so that a connection that waits holds none.
constexpr size_t kScratchSize = kMaxBodyPiece;
char* scratch() {
  thread_local const std::unique_ptr<char[]> buffer(new char[kScratchSize]);
  return buffer.get();
}

}  // namespace

Connection::Connection(std::shared_ptr<ServerState> server, int descriptor, std::string remote)
    : server_(std::move(server)),
      strand_(asio::make_strand(server_->context)),
      descriptor_(server_->context.get_executor()),
      transport_(descriptor, server_->tls_context()),
      remote_(std::move(remote)) {
  boost::system::error_code ec;
  descriptor_.assign(descriptor, ec);
  if (ec) {
    ::close(descriptor);
    closed_ = true;
    gone_ = true;
  }
  server_->add(this);
}

Connection::~Connection() {
  if (exchange_) {
    server_->busy.fetch_sub(1, std::memory_order_relaxed);  // its coroutine went with the context
  }
  server_->remove(this);
}

void Connection::start() {
  asio::dispatch(strand_, [self = shared_from_this()] {
    if (self->closed_) {
      return;
    }
    const ServerOptions& options = self->server_->options;
    const Duration limit = options.read_header_timeout.count() > 0 ? options.read_header_timeout
                                                                   : options.read_timeout;
    self->set_read_deadline(limit.count() > 0 ? now_ns() + limit.count() : kNever);
    self->head_begun_ =
        true;  // the first head's time starts now, a later one's with its first byte
    self->handshaking_ = self->transport_.secure();
    self->arm_read();
  });
}

void Connection::check_deadline(int64_t now) {
  if (deadline_.load(std::memory_order_relaxed) <= now) {
    asio::post(strand_, [self = shared_from_this(), now] { self->on_timer(now); });
  }
}

void Connection::begin_shutdown() {
  asio::post(strand_, [self = shared_from_this()] {
    if (self->exchange_) {
      self->exchange_->stop.request_stop();
    } else if (!self->closed_ && !self->lingering_) {
      self->closing_ = true;
      self->try_flush();
    }
  });
}

void Connection::cut() {
  asio::post(strand_, [self = shared_from_this()] { self->close(); });
}

Task<void> Connection::enter_strand() {
  co_await asio::post(strand_, asio::use_awaitable);
}

void Connection::arm_read(Wait::wait_type what) {
  if (read_armed_ || closed_) {
    return;
  }
  read_armed_ = true;
  auto ready = [self = shared_from_this()](const boost::system::error_code&) {
    self->read_armed_ = false;
    self->on_readable();
  };
  if (transport_.buffered()) {
    asio::post(strand_, [ready] { ready({}); });
  } else {
    descriptor_.async_wait(what, asio::bind_executor(strand_, std::move(ready)));
  }
}

void Connection::arm_write(Wait::wait_type what) {
  if (write_armed_ || closed_) {
    return;
  }
  write_armed_ = true;
  descriptor_.async_wait(
      what,
      asio::bind_executor(strand_, [self = shared_from_this()](const boost::system::error_code&) {
        self->write_armed_ = false;
        self->try_flush();
        if (!self->closed_ && !self->closing_ && !self->exchange_) {
          self->process_input();  // it had stopped at a full output
        }
      }));
}

// Receives once into in_.
Transport::Outcome Connection::fill(size_t at_most) {
  if (closed_) {
    return Transport::Outcome::Failed;
  }
  const auto got = transport_.read(scratch(), std::min(at_most, kScratchSize));
  if (got.outcome == Transport::Outcome::Done) {
    in_.append(scratch(), got.bytes);
  }
  return got.outcome;
}

void Connection::handshake() {
  switch (transport_.handshake().outcome) {
    case Transport::Outcome::Done:
      handshaking_ = false;
      arm_read();
      return;
    case Transport::Outcome::WaitRead:
      arm_read();
      return;
    case Transport::Outcome::WaitWrite:
      arm_read(Wait::wait_write);
      return;
    case Transport::Outcome::End:
    case Transport::Outcome::Failed:
      break;
  }
  if (!transport_.plain_http()) {
    close();
    return;
  }
  transport_ = Transport(descriptor_.native_handle(), nullptr);
  handshaking_ = false;
  unread_ = true;
  closing_ = true;
  out_ = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
  try_flush();
}

void Connection::on_readable() {
  if (closed_) {
    return;
  }
  if (handshaking_) {
    handshake();
    return;
  }
  if (lingering_) {
    linger();
    return;
  }
  if (closing_ || (exchange_ && !exchange_->body_done)) {
    return;  // the body is the handler's to read
  }
  switch (fill(kMaxAhead)) {
    case Transport::Outcome::Done:
      if (!exchange_) {
        process_input();
      } else if (in_.size() < kMaxAhead) {
        arm_read();
      }
      return;
    case Transport::Outcome::WaitRead:
      arm_read();
      return;
    case Transport::Outcome::WaitWrite:
      arm_read(Wait::wait_write);
      return;
    case Transport::Outcome::End:
      if (exchange_) {
        exchange_->keep_alive = false;
        client_gone();  // maybe only half closed: the answer is still sent
      } else {
        close();
      }
      return;
    case Transport::Outcome::Failed:
      close();
      return;
  }
}

void Connection::client_gone() {
  if (exchange_) {
    exchange_->stop.request_stop();
  }
}

// Sends what waits, as far as the socket takes it.
void Connection::try_flush(bool wait_for_writable) {
  while (!closed_ && pending() > 0) {
    const auto sent = transport_.write(out_.data() + out_done_, pending());
    switch (sent.outcome) {
      case Transport::Outcome::Done:
        out_done_ += sent.bytes;
        break;
      case Transport::Outcome::WaitRead:
      case Transport::Outcome::WaitWrite: {
        const int64_t limit = exchange_ ? exchange_->answer_deadline : kNever;
        const int64_t stall = server_->options.stalled_write_timeout.count();
        set_write_deadline(stall > 0 ? std::min(limit, now_ns() + stall) : limit);
        if (out_done_ > kMaxPending) {
          out_.erase(0, out_done_);
          out_done_ = 0;
        }
        if (wait_for_writable) {
          arm_write(sent.outcome == Transport::Outcome::WaitRead ? Wait::wait_read
                                                                 : Wait::wait_write);
        }
        return;
      }
      case Transport::Outcome::End:
      case Transport::Outcome::Failed:
        close();
        return;
    }
  }
  if (closed_) {
    return;
  }
  out_done_ = 0;
  if (exchange_) {
    out_.clear();
    set_write_deadline(exchange_->answer_deadline);
  } else {
    std::string().swap(out_);
    set_write_deadline(kNever);
    if (closing_ && !lingering_) {
      finish_and_close();
    }
  }
}

// Flushes when the handler suspends: what it writes in one go leaves in one piece.
void Connection::flush_soon() {
  if (!flush_posted_) {
    flush_posted_ = true;
    asio::post(strand_, [self = shared_from_this()] {
      self->flush_posted_ = false;
      self->try_flush();
    });
  }
}

Task<Status> Connection::drain(size_t limit) {
  while (!closed_ && pending() > limit) {
    boost::system::error_code ec;
    co_await descriptor_.async_wait(Wait::wait_write,
                                    asio::redirect_error(asio::use_awaitable, ec));
    try_flush(false);
  }
  if (closed_) {
    co_return fail(Code::Closed, "the client is gone");
  }
  if (pending() > 0) {
    arm_write();
  }
  co_return Status();
}

// Sends `bytes` behind what waits, without copying them to it.
Task<Status> Connection::write_through(const Bytes& bytes) {
  try_flush(false);
  if (auto drained = co_await drain(0); !drained) {
    co_return drained;
  }
  size_t done = 0;
  while (done < bytes.size() && !closed_) {
    const auto sent = transport_.write(bytes.data() + done, bytes.size() - done);
    done += sent.bytes;
    if (sent.outcome == Transport::Outcome::Done) {
      continue;
    }
    if (sent.outcome == Transport::Outcome::End || sent.outcome == Transport::Outcome::Failed) {
      close();
      break;
    }
    const int64_t stall = server_->options.stalled_write_timeout.count();
    const int64_t limit = exchange_->answer_deadline;
    set_write_deadline(stall > 0 ? std::min(limit, now_ns() + stall) : limit);
    boost::system::error_code ec;
    co_await descriptor_.async_wait(
        sent.outcome == Transport::Outcome::WaitRead ? Wait::wait_read : Wait::wait_write,
        asio::redirect_error(asio::use_awaitable, ec));
  }
  if (closed_) {
    co_return fail(Code::Closed, "the client is gone");
  }
  set_write_deadline(exchange_->answer_deadline);
  co_return Status();
}

void Connection::on_timer(int64_t now) {
  if (closed_) {
    return;
  }
  if (now >= write_deadline_) {
    close();
  } else if (now >= read_deadline_) {
    if (!exchange_) {
      close();
      return;
    }
    exchange_->read_timed_out = true;
    exchange_->keep_alive = false;
    set_read_deadline(kNever);
    boost::system::error_code ec;
    descriptor_.cancel(ec);  // wakes a read() that waits
  }
}

// The answer is out. Closing with unread input would reset the connection, which can take the
// answer from the client's hands; so tell it first and listen for a moment, as Go does.
void Connection::finish_and_close() {
  if (unread_ || !in_.empty() || transport_.secure()) {
    transport_.finish_writing();
  }
  if (!unread_ && in_.empty()) {
    close();
    return;
  }
  std::string().swap(in_);
  lingering_ = true;
  set_read_deadline(now_ns() + kLinger.count());
  arm_read();
}

void Connection::linger() {
  while (true) {
    const auto got = ::recv(descriptor_.native_handle(), scratch(), kScratchSize, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      arm_read();
      return;
    }
    if (got <= 0) {
      close();
      return;
    }
  }
}

void Connection::close() {
  if (closed_) {
    return;
  }
  closed_ = true;
  gone_ = true;
  deadline_.store(kNever, std::memory_order_relaxed);
  boost::system::error_code ec;
  descriptor_.close(ec);
  std::string().swap(in_);
  client_gone();
}

void Connection::set_read_deadline(int64_t at) {
  read_deadline_ = at;
  deadline_.store(std::min(read_deadline_, write_deadline_), std::memory_order_relaxed);
}

void Connection::set_write_deadline(int64_t at) {
  write_deadline_ = at;
  deadline_.store(std::min(read_deadline_, write_deadline_), std::memory_order_relaxed);
}

}  // namespace ica::http
