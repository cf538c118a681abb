#include <algorithm>

#include "agent/p2p/yamux.h"

namespace ica::p2p::yamux {

namespace {

using SteadyClock = std::chrono::steady_clock;

}  // namespace

YamuxStream::YamuxStream(std::shared_ptr<Session> session, uint32_t id)
    : session_(std::move(session)),
      id_(id),
      last_update_(SteadyClock::now()),
      readable_(session_->strand_),
      writable_(session_->strand_) {}

YamuxStream::~YamuxStream() {
  // The last owner may be on another thread; the session is touched on its strand only.
  // After our FIN the remote has all that it will get; should it send more, that is answered by a
  // reset then.
  const bool cut = !error_ && !write_reset_ && write_half_ == Half::Open;
  asio::post(session_->strand_, [session = session_, id = id_, cut, waiting = received_bytes_,
                                 unanswered = !acknowledged_] {
    session->receive_bytes_ -= std::min(waiting, session->receive_bytes_);
    if (cut && !session->closed_) {
      session->send_control({Type::WindowUpdate, kRst, id, 0});
    }
    if (unanswered) {
      session->acknowledged();
    }
    session->forget(id);
  });
}

Task<Status> YamuxStream::wait(asio::steady_timer& timer) {
  const bool bounded = deadline_ != SteadyClock::time_point();
  if (bounded && deadline_ <= SteadyClock::now()) {
    co_return fail(Code::Timeout, "stream {}: deadline exceeded", id_);
  }
  timer.expires_at(bounded ? deadline_ : SteadyClock::time_point::max());
  boost::system::error_code ec;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  if (!ec && bounded && deadline_ <= SteadyClock::now()) {
    co_return fail(Code::Timeout, "stream {}: deadline exceeded", id_);
  }
  co_return Status();
}

Task<Result<Bytes>> YamuxStream::read_some(size_t limit) {
  const auto self = shared_from_this();
  while (received_.empty()) {
    if (error_) {
      co_return fail(*error_);
    }
    if (read_half_ == Half::Closed) {
      co_return Bytes();
    }
    auto waited = co_await wait(readable_);
    if (!waited) {
      co_return fail(std::move(waited).error());
    }
  }
  Bytes& front = received_.front();
  Bytes out;
  if (front_at_ == 0 && front.size() <= limit) {
    out = std::move(front);
    received_.pop_front();
  } else {
    out = front.substr(front_at_, limit);
    front_at_ += out.size();
    if (front_at_ == front.size()) {
      received_.pop_front();
      front_at_ = 0;
    }
  }
  received_bytes_ -= out.size();
  session_->receive_bytes_ -= std::min(out.size(), session_->receive_bytes_);
  grow_window();
  co_return out;
}

void YamuxStream::grow_window() {
  if (error_ || read_half_ == Half::Closed || session_->closed_) {
    return;
  }
  // What may be outstanding is what we grant less what waits unread here.
  const uint32_t room =
      window_size_ - std::min<uint32_t>(window_size_, static_cast<uint32_t>(received_bytes_));
  if (room <= receive_window_ || room - receive_window_ < window_size_ / 2) {
    return;
  }
  // A window that is used up quickly limits the throughput: double it. Not while much of it waits
  // here unread: then it is the reader that limits it, and more would only wait in memory.
  const bool reader_keeps_up = received_bytes_ < window_size_ / 3;
  const auto now = SteadyClock::now();
  if (reader_keeps_up && now - last_update_ < std::chrono::milliseconds(200) &&
      window_size_ < session_->options_.max_window &&
      session_->receive_bytes_ + window_size_ < session_->options_.max_receive_bytes) {
    window_size_ = std::min(session_->options_.max_window, window_size_ * 2);
  }
  last_update_ = now;
  const uint32_t grant = window_size_ - static_cast<uint32_t>(received_bytes_) - receive_window_;
  receive_window_ += grant;
  session_->send_control({Type::WindowUpdate, 0, id_, grant});
}

Task<Status> YamuxStream::write(Bytes data) {
  const auto self = shared_from_this();
  size_t at = 0;
  while (at < data.size()) {
    if (error_) {
      co_return fail(*error_);
    }
    if (write_half_ == Half::Closed) {
      co_return fail(Code::Closed, "stream {}: closed for writing", id_);
    }
    if (write_reset_) {
      co_return fail(Code::Closed, "stream reset");
    }
    if (send_window_ == 0) {
      auto waited = co_await wait(writable_);
      if (!waited) {
        co_return fail(std::move(waited).error());
      }
      continue;
    }
    const size_t count = std::min<size_t>(
        {data.size() - at, static_cast<size_t>(send_window_), session_->options_.max_frame});
    send_window_ -= count;
    const auto header = encode({Type::Data, 0, id_, static_cast<uint32_t>(count)});
    Bytes frame(header.data(), header.size());
    frame.append(data, at, count);
    at += count;
    auto sent = co_await session_->send_data(*this, std::move(frame));
    if (!sent) {
      co_return fail(std::move(sent).error());
    }
  }
  co_return Status();
}

Task<Status> YamuxStream::close_write() {
  if (error_) {
    co_return fail(*error_);
  }
  if (write_half_ == Half::Open) {
    write_half_ = Half::Closed;
    if (!write_reset_) {
      session_->send_control({Type::WindowUpdate, kFin, id_, 0});
    }
    finish_if_done();
  }
  co_return Status();
}

void YamuxStream::reset() {
  if (error_ || session_->closed_) {
    return;
  }
  const bool open = read_half_ == Half::Open || write_half_ == Half::Open;
  fail_with(Error(Code::Closed, "stream reset"));
  if (open) {
    session_->send_control({Type::WindowUpdate, kRst, id_, 0});
  }
  session_->forget(id_);
}

void YamuxStream::set_deadline(SteadyClock::time_point at) {
  deadline_ = at;
  readable_.cancel();
  writable_.cancel();
}

void YamuxStream::fail_with(Error error) {
  if (!error_) {
    error_ = std::move(error);
  }
  session_->receive_bytes_ -= std::min(received_bytes_, session_->receive_bytes_);
  received_.clear();
  received_bytes_ = 0;
  front_at_ = 0;
  readable_.cancel();
  writable_.cancel();
}

void YamuxStream::on_reset() {
  on_acknowledged();
  if (read_half_ == Half::Open) {
    fail_with(Error(Code::Closed, "stream reset"));
    return;
  }
  write_reset_ = true;
  writable_.cancel();
}

void YamuxStream::on_acknowledged() {
  if (!acknowledged_) {
    acknowledged_ = true;
    session_->acknowledged();
  }
}

void YamuxStream::deliver(Bytes data) {
  received_bytes_ += data.size();
  session_->receive_bytes_ += data.size();
  // Many small frames would cost more in bookkeeping than in bytes.
  if (!received_.empty() && received_.back().size() + data.size() <= 4096) {
    received_.back() += data;
  } else {
    received_.push_back(std::move(data));
  }
  readable_.cancel();
}

void YamuxStream::finish_if_done() {
  if (read_half_ == Half::Closed && write_half_ == Half::Closed) {
    session_->forget(id_);
  }
}

}  // namespace ica::p2p::yamux
