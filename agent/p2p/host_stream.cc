#include "agent/p2p/host_stream.h"

#include "agent/p2p/multistream.h"

namespace ica::p2p {

HostStream::HostStream(CorePtr core, ConnectionPtr connection, yamux::YamuxStreamPtr raw,
                       bool inbound)
    : core_(std::move(core)),
      connection_(std::move(connection)),
      raw_(std::move(raw)),
      channel_(raw_),
      inbound_(inbound) {
  open_streams().fetch_add(1, std::memory_order_relaxed);
}

HostStream::~HostStream() {
  open_streams().fetch_sub(1, std::memory_order_relaxed);
}

std::atomic<int64_t>& HostStream::open_streams() const {
  return inbound_ ? core_->stats.open_inbound_streams : core_->stats.open_outbound_streams;
}

void HostStream::agreed(std::string protocol) {
  protocol_ = std::move(protocol);
  traffic_ = core_->traffic.of(protocol_);
}

void HostStream::proposed(std::string protocol) {
  agreed(std::move(protocol));
  answer_pending_ = true;
}

Task<bool> HostStream::elsewhere() const {
  const Executor here = co_await asio::this_coro::executor;
  co_return here != connection_->strand;
}

Task<Result<Bytes>> HostStream::read_some(size_t limit) {
  const auto self = shared_from_this();
  const bool cross = co_await elsewhere();
  if (cross) {
    Task<Result<Bytes>> reading = read_here(self, limit);
    co_return co_await asio::co_spawn(connection_->strand, std::move(reading), asio::use_awaitable);
  }
  co_return co_await read_here(self, limit);
}

Task<Status> HostStream::write(Bytes data) {
  const auto self = shared_from_this();
  const bool cross = co_await elsewhere();
  if (cross) {
    Task<Status> writing = write_here(self, std::move(data));
    co_return co_await asio::co_spawn(connection_->strand, std::move(writing), asio::use_awaitable);
  }
  co_return co_await write_here(self, std::move(data));
}

Task<Status> HostStream::close_write() {
  const auto self = shared_from_this();
  const bool cross = co_await elsewhere();
  if (cross) {
    Task<Status> closing = close_here(self);
    co_return co_await asio::co_spawn(connection_->strand, std::move(closing), asio::use_awaitable);
  }
  co_return co_await close_here(self);
}

void HostStream::reset() {
  asio::dispatch(connection_->strand, [raw = raw_] { raw->reset(); });
}

void HostStream::set_deadline(std::chrono::steady_clock::time_point at) {
  asio::dispatch(connection_->strand, [raw = raw_, at] { raw->set_deadline(at); });
}

Task<Result<Bytes>> HostStream::read_here(std::shared_ptr<HostStream> self, size_t limit) {
  if (self->answer_pending_) {
    auto answer = co_await read_lazy_answer(self->channel_, self->protocol_);
    if (!answer) {
      self->raw_->reset();
      co_return fail(std::move(answer).error());
    }
    self->answer_pending_ = false;
  }
  auto data = co_await self->channel_.read_some(limit);
  if (data) {
    self->traffic_->add_in(data->size());
  }
  co_return data;
}

Task<Status> HostStream::write_here(std::shared_ptr<HostStream> self, Bytes data) {
  const size_t size = data.size();
  auto written = co_await self->raw_->write(std::move(data));
  if (written) {
    self->traffic_->add_out(size);
  }
  co_return written;
}

Task<Status> HostStream::close_here(std::shared_ptr<HostStream> self) {
  co_return co_await self->raw_->close_write();
}

}  // namespace ica::p2p
