#include "agent/p2p/yamux.h"

#include <algorithm>
#include <vector>

#include "common/base/async.h"

namespace ica::p2p::yamux {

namespace {

using SteadyClock = std::chrono::steady_clock;

// Data of all streams that wait for the socket. Small, so that a window update or a ping does not
// stand behind megabytes.
constexpr size_t kOutboxBytes = 256 * 1024;
// A remote that makes us answer this often without reading is not a peer.
constexpr size_t kMaxControlFrames = 8192;
// One turn of the writer.
constexpr size_t kReadChunk = 64 * 1024;

// Gives the go-away a moment to leave, then cuts.
struct CutLater {
  ChannelPtr channel;
  std::shared_ptr<asio::steady_timer> timer;
  void operator()(const boost::system::error_code&) const { channel->close(); }
};

}  // namespace

Session::Session(ChannelPtr channel, bool dialler, Executor strand, Options options)
    : channel_(std::move(channel)),
      dialler_(dialler),
      strand_(std::move(strand)),
      options_(options),
      next_id_(dialler ? 1 : 2),
      outbox_filled_(strand_),
      last_input_(SteadyClock::now()),
      keepalive_timer_(strand_) {}

Session::~Session() {
  channel_->close();
}

void Session::start(OnStream on_stream, OnClose on_close) {
  on_stream_ = std::move(on_stream);
  on_close_ = std::move(on_close);
  spawn(strand_, read_loop(shared_from_this()), "yamux reader");
  spawn(strand_, write_loop(shared_from_this()), "yamux writer");
  spawn(strand_, keepalive_loop(shared_from_this()), "yamux keep-alive");
}

Result<YamuxStreamPtr> Session::open() {
  if (closed_ || remote_gone_away_) {
    return fail(Code::Closed, "connection closed");
  }
  if (streams_.size() >= options_.max_streams) {
    return fail(Code::Busy, "{} streams are open on this connection", streams_.size());
  }
  if (next_id_ > 0xfffffff0U) {
    return fail(Code::Closed, "stream ids are used up");
  }
  const uint32_t id = next_id_;
  next_id_ += 2;
  auto stream = std::make_shared<YamuxStream>(shared_from_this(), id);
  stream->acknowledged_ = false;
  ++unacknowledged_;
  streams_[id] = stream;
  send_control({Type::WindowUpdate, kSyn, id, 0});
  return stream;
}

Task<Result<YamuxStreamPtr>> Session::open_in_turn(SteadyClock::time_point deadline) {
  const auto self = shared_from_this();
  while (unacknowledged_ >= options_.max_unacknowledged && !closed_) {
    if (SteadyClock::now() >= deadline) {
      co_return fail(Code::Timeout, "the other side does not take {} streams", unacknowledged_);
    }
    asio::steady_timer turn(strand_, deadline);
    open_waiters_.push_back(&turn);
    boost::system::error_code ec;
    co_await turn.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    std::erase(open_waiters_, &turn);
  }
  co_return open();
}

void Session::acknowledged() {
  if (unacknowledged_ > 0) {
    --unacknowledged_;
  }
  if (!open_waiters_.empty()) {
    open_waiters_.front()->cancel();
    open_waiters_.pop_front();
  }
}

void Session::send_control(const Header& header) {
  if (closed_) {
    return;
  }
  if (++outbox_control_ > kMaxControlFrames) {
    close(GoAwayCode::ProtocolError, "yamux: the other side does not read our answers");
    return;
  }
  const auto bytes = encode(header);
  outbox_.append(bytes.data(), bytes.size());
  outbox_filled_.cancel();
}

Task<Status> Session::send_data(YamuxStream& stream, Bytes frame) {
  while (outbox_.size() >= kOutboxBytes) {
    if (closed_) {
      co_return fail(Code::Closed, "connection closed");
    }
    outbox_waiters_.push_back(&stream.writable_);
    auto waited = co_await stream.wait(stream.writable_);
    std::erase(outbox_waiters_, &stream.writable_);
    if (!waited) {
      // The frame's bytes were taken from the window and will never be sent: the stream is of no
      // use.
      stream.reset();
      co_return fail(std::move(waited).error());
    }
    if (stream.error_) {
      co_return fail(*stream.error_);
    }
  }
  if (closed_) {
    co_return fail(Code::Closed, "connection closed");
  }
  outbox_ += frame;
  outbox_filled_.cancel();
  co_return Status();
}

Task<void> Session::write_loop(std::shared_ptr<Session> self) {
  while (!self->closed_) {
    if (self->outbox_.empty()) {
      self->outbox_filled_.expires_at(SteadyClock::time_point::max());
      boost::system::error_code ec;
      co_await self->outbox_filled_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
      continue;
    }
    Bytes out = std::exchange(self->outbox_, Bytes());
    self->outbox_control_ = 0;
    for (asio::steady_timer* waiter : self->outbox_waiters_) {
      waiter->cancel();
    }
    auto written = co_await self->channel_->write(std::move(out));
    if (!written) {
      self->close(GoAwayCode::Normal, written.error().message());
    }
  }
  // Whatever close() left, such as a go-away, is tried once.
  if (!self->outbox_.empty()) {
    const auto last = co_await self->channel_->write(std::exchange(self->outbox_, Bytes()));
    static_cast<void>(last);
  }
  self->channel_->close();
}

Task<void> Session::read_loop(std::shared_ptr<Session> self) {
  auto outcome = co_await self->read_frames();
  if (!outcome) {
    const bool violation = outcome.error().code() == Code::Protocol;
    self->close(violation ? GoAwayCode::ProtocolError : GoAwayCode::Normal,
                outcome.error().message());
  }
}

Task<Status> Session::read_frames() {
  Bytes buffer;
  size_t at = 0;
  while (!closed_) {
    // Whole frames are taken from the buffer; payloads of data frames are handed on piece by piece,
    // so that a large frame needs no buffer of its size.
    while (buffer.size() - at >= kHeaderSize) {
      auto header = decode_header(BytesView(buffer).substr(at, kHeaderSize));
      if (!header) {
        co_return fail(std::move(header).error());
      }
      at += kHeaderSize;
      if (header->type != Type::Data || header->length == 0) {
        auto handled = header->type == Type::Ping     ? on_ping(*header)
                       : header->type == Type::GoAway ? Status()
                                                      : on_stream_frame(*header, {});
        if (!handled) {
          co_return handled;
        }
        if (header->type == Type::GoAway) {
          remote_gone_away_ = true;
          if (header->length != 0) {
            co_return fail(Code::Closed, "the other side closed the connection with code {}",
                           header->length);
          }
        }
        continue;
      }
      if (header->length > options_.max_received_frame) {
        co_return fail(Code::Protocol, "yamux: frame of {} bytes", header->length);
      }
      uint32_t left = header->length;
      bool first = true;
      while (left > 0) {
        if (at == buffer.size()) {
          auto more = co_await channel_->read_some(kReadChunk);
          if (!more) {
            co_return fail(std::move(more).error());
          }
          if (more->empty()) {
            co_return fail(Code::Closed, "connection closed by the other side");
          }
          buffer = *std::move(more);
          at = 0;
        }
        const size_t take = std::min<size_t>(left, buffer.size() - at);
        Header piece = *header;
        piece.length = static_cast<uint32_t>(take);
        left -= static_cast<uint32_t>(take);
        // SYN and ACK belong to the first piece, FIN and RST to the last.
        if (!first) {
          piece.flags &= static_cast<uint16_t>(~(kSyn | kAck));
        }
        if (left > 0) {
          piece.flags &= static_cast<uint16_t>(~(kFin | kRst));
        }
        first = false;
        auto handled = on_stream_frame(piece, buffer.substr(at, take));
        at += take;
        if (!handled) {
          co_return handled;
        }
      }
    }
    if (at > 0) {
      buffer.erase(0, at);
      at = 0;
    }
    auto more = co_await channel_->read_some(kReadChunk);
    if (!more) {
      co_return fail(std::move(more).error());
    }
    if (more->empty()) {
      co_return fail(Code::Closed, "connection closed by the other side");
    }
    last_input_ = SteadyClock::now();
    if (buffer.empty()) {
      buffer = *std::move(more);
    } else {
      buffer += *more;
    }
  }
  co_return fail(Code::Closed, "connection closed");
}

Result<YamuxStreamPtr> Session::accept(const Header& header) {
  const bool odd = header.stream_id % 2 == 1;
  if (odd == dialler_) {
    return fail(Code::Protocol, "yamux: stream id {} has the wrong parity", header.stream_id);
  }
  // Ids need not arrive in order: the Go implementation hands them out before it sends.
  if (streams_.count(header.stream_id) > 0) {
    return fail(Code::Protocol, "yamux: stream {} is open already", header.stream_id);
  }
  if (inbound_ >= options_.max_inbound_streams || streams_.size() >= options_.max_streams) {
    send_control({Type::WindowUpdate, kRst, header.stream_id, 0});
    return YamuxStreamPtr();
  }
  auto stream = std::make_shared<YamuxStream>(shared_from_this(), header.stream_id);
  streams_[header.stream_id] = stream;
  ++inbound_;
  // We take every stream at once, so the acknowledgement follows directly.
  send_control({Type::WindowUpdate, kAck, header.stream_id, 0});
  return stream;
}

Status Session::on_stream_frame(const Header& header, Bytes payload) {
  YamuxStreamPtr stream;
  bool fresh = false;
  if ((header.flags & kSyn) != 0) {
    TRY(stream, accept(header));
    fresh = stream != nullptr;
  } else if (const auto it = streams_.find(header.stream_id); it != streams_.end()) {
    stream = it->second.lock();
  }
  if (!stream) {
    // Closed here already, or refused. Frames for it may still be under way; whoever goes on
    // sending is told.
    if (!payload.empty() && told_of_reset_ != header.stream_id) {
      told_of_reset_ = header.stream_id;
      send_control({Type::WindowUpdate, kRst, header.stream_id, 0});
    }
    return {};
  }
  stream->on_acknowledged();
  if (header.type == Type::WindowUpdate) {
    stream->send_window_ += header.length;
    if (stream->send_window_ > 0xffffffffULL) {
      return fail(Code::Protocol, "yamux: window of stream {} overflows", header.stream_id);
    }
    if (header.length > 0) {
      stream->writable_.cancel();
    }
  } else if (!payload.empty()) {
    if (payload.size() > stream->receive_window_) {
      return fail(Code::Protocol, "yamux: stream {} exceeds its window", header.stream_id);
    }
    if (stream->read_half_ == YamuxStream::Half::Closed) {
      return fail(Code::Protocol, "yamux: data after the end of stream {}", header.stream_id);
    }
    stream->receive_window_ -= static_cast<uint32_t>(payload.size());
    if (!stream->error_) {
      stream->deliver(std::move(payload));
    }
  }
  if ((header.flags & kRst) != 0) {
    stream->on_reset();
    forget(header.stream_id);
  } else if ((header.flags & kFin) != 0) {
    stream->read_half_ = YamuxStream::Half::Closed;
    stream->readable_.cancel();
    stream->finish_if_done();
  }
  if (fresh && on_stream_) {
    on_stream_(std::move(stream));
  }
  return {};
}

Status Session::on_ping(const Header& header) {
  if ((header.flags & kSyn) != 0) {
    send_control({Type::Ping, kAck, 0, header.length});
    return {};
  }
  // An answer that nobody waits for is late or made up; neither harms.
  if (const auto it = pings_.find(header.length); it != pings_.end()) {
    const auto timer = it->second;
    pings_.erase(it);
    timer->cancel();
  }
  return {};
}

Task<Result<Duration>> Session::ping() {
  const auto self = shared_from_this();
  if (closed_) {
    co_return fail(Code::Closed, "connection closed");
  }
  const uint32_t value = ++ping_value_;
  auto timer = std::make_shared<asio::steady_timer>(strand_);
  timer->expires_after(std::chrono::duration_cast<SteadyClock::duration>(options_.ping_timeout));
  pings_[value] = timer;
  const auto start = SteadyClock::now();
  send_control({Type::Ping, kSyn, 0, value});
  boost::system::error_code ec;
  co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ec));
  const bool answered = pings_.erase(value) == 0;
  if (closed_) {
    co_return fail(Code::Closed, "connection closed");
  }
  if (!answered) {
    co_return fail(Code::Timeout, "no answer to a ping within {}",
                   format_duration(options_.ping_timeout));
  }
  co_return Duration(SteadyClock::now() - start);
}

Task<void> Session::keepalive_loop(std::shared_ptr<Session> self) {
  while (!self->closed_) {
    const auto quiet_until = self->last_input_ + std::chrono::duration_cast<SteadyClock::duration>(
                                                     self->options_.keepalive_interval);
    self->keepalive_timer_.expires_at(quiet_until);
    boost::system::error_code ec;
    co_await self->keepalive_timer_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (self->closed_) {
      break;
    }
    if (SteadyClock::now() < self->last_input_ + std::chrono::duration_cast<SteadyClock::duration>(
                                                     self->options_.keepalive_interval)) {
      continue;
    }
    auto answered = co_await self->ping();
    if (!answered && answered.error().code() == Code::Timeout) {
      self->close(GoAwayCode::Normal, "keep-alive: " + answered.error().message());
    }
    self->last_input_ = SteadyClock::now();
  }
}

void Session::close(GoAwayCode code, std::string reason) {
  if (closed_) {
    return;
  }
  const auto self = shared_from_this();
  if (code != GoAwayCode::Normal) {
    const auto bytes = encode({Type::GoAway, 0, 0, static_cast<uint32_t>(code)});
    outbox_.append(bytes.data(), bytes.size());
    auto timer = std::make_shared<asio::steady_timer>(strand_, std::chrono::seconds(1));
    timer->async_wait(CutLater{channel_, timer});
  } else {
    // A plain end is told by closing the socket; unsent frames would only delay it.
    outbox_.clear();
    channel_->close();
  }
  closed_ = true;
  const Error error(Code::Closed, std::move(reason));
  for (const auto& [id, weak] : std::exchange(streams_, {})) {
    if (auto stream = weak.lock()) {
      stream->fail_with(error);
    }
  }
  inbound_ = 0;
  for (const auto& [value, timer] : std::exchange(pings_, {})) {
    timer->cancel();
  }
  for (asio::steady_timer* waiter : outbox_waiters_) {
    waiter->cancel();
  }
  for (asio::steady_timer* waiter : std::exchange(open_waiters_, {})) {
    waiter->cancel();
  }
  outbox_filled_.cancel();
  keepalive_timer_.cancel();
  if (on_close_) {
    std::exchange(on_close_, nullptr)(error);
  }
  on_stream_ = nullptr;
}

void Session::forget(uint32_t id) {
  if (streams_.erase(id) > 0 && (id % 2 == 1) != dialler_ && inbound_ > 0) {
    --inbound_;
  }
}

}  // namespace ica::p2p::yamux
