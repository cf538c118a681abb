#pragma once

// One call that is being answered; for the .cc files of agent/rpc only.
#include "agent/rpc/frames.h"
#include "agent/rpc/server.h"
#include "agent/rpc/types.h"
#include "agent/rpc/value_reader.h"

namespace ica::rpc {

// What methods are made of.
struct Backend {
  cluster::Cluster& cluster;
  ipfs::Connector& connector;
  const ServerOptions options;
};

// Thread-safety: none; used on the stream's executor.
class Call {
 public:
  Call(Backend backend, p2p::StreamPtr stream);

  Backend& backend() { return backend_; }
  const PeerId& caller() const { return stream_->peer(); }
  const ServiceId& id() const { return id_; }
  ValueReader& reader() { return reader_; }
  // Requested when the caller goes away or the server stops.
  StopSource& stopping() { return stopping_; }
  StopToken stop() const { return stopping_.get_token(); }
  bool failed() const { return failed_; }

  // Reads what the call begins with.
  Task<Status> read_id();
  // The one argument of a call, or of a stream of arguments that may end before it.
  template <typename T>
  Task<Result<T>> argument(bool optional) {
    expect_within(backend_.options.request_limit);
    auto bytes = co_await reader_.next(backend_.options.max_argument);
    if (!bytes) {
      co_return fail(std::move(bytes.error()));
    }
    if (!bytes->has_value()) {
      if (optional) {
        co_return T{};
      }
      co_return fail(Code::Protocol, "EOF");
    }
    co_return decode<T>(**bytes);
  }
  // The stream must go on within `limit`; zero: it may stand still.
  void expect_within(Duration limit);

  // Adds an answer to what is sent by flush().
  template <typename T>
  void add_answer(const T& value) {
    out_ += header_;
    write(out_, value);
    header_ = later_header_;
  }
  bool wants_flush() const { return out_.size() >= kFlushAt; }
  Task<Status> flush();
  // Ends the call with this error.
  Task<void> answer_error(Error error, ErrorType type);
  // Our half is done; the caller closes its own.
  Task<void> finish();
  void reset() { stream_->reset(); }
  const p2p::StreamPtr& stream() const { return stream_; }

 private:
  static constexpr size_t kFlushAt = 32 << 10;

  Backend backend_;
  p2p::StreamPtr stream_;
  ValueReader reader_;
  ServiceId id_;
  Bytes header_;  // of the next answer without an error
  Bytes later_header_;
  Bytes out_;
  StopSource stopping_;
  bool failed_ = false;
};
using CallPtr = std::shared_ptr<Call>;

// Reads and drops what the caller still sends, until it closes its half (which ends a call that has
// `close_ends` set) or goes away (which ends every call). A caller that says more than `may_drop`
// is cut off.
inline constexpr size_t kMayDrop = 64 << 10;  // more is no oversight
void watch(CallPtr call, bool close_ends, size_t may_drop = kMayDrop);

// Runs a method that the caller may call. Ok: the call is over, with or without an error that the
// caller was told.
Task<void> run_method(CallPtr call);
// Whether there is an implementation, for tests of the table.
bool implemented(std::string_view service, std::string_view name);

}  // namespace ica::rpc
