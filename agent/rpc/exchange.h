#pragma once

// The caller's side of one call; for the .cc files of agent/rpc only.
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "agent/rpc/frames.h"
#include "agent/rpc/remote_peers.h"
#include "agent/rpc/types.h"
#include "agent/rpc/value_reader.h"

namespace ica::rpc {

// Runs there and goes on where it was called.
template <typename T>
Task<T> on_executor(Executor executor, Task<T> task) {
  co_return co_await asio::co_spawn(std::move(executor), std::move(task), asio::use_awaitable);
}

// Lets so many calls run at once and the others wait in order. Thread-safety: any thread.
class Turnstile {
 public:
  explicit Turnstile(size_t places) : free_(places) {}
  // A place was taken, unless Cancelled.
  Task<Status> enter(StopToken stop);
  void leave();

  // Leaves at its end.
  struct Place {
    explicit Place(Turnstile& turnstile) : of(turnstile) {}
    ~Place() { of.leave(); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    Turnstile& of;
  };

 private:
  struct Waiter;
  std::mutex mutex_;
  size_t free_;
  std::deque<std::shared_ptr<Waiter>> waiting_;
};

struct RemotePeers::Impl {
  p2p::Network& network;
  monitor::Monitor& monitor;
  const std::function<std::map<std::string, api::Bandwidth>()> bandwidth;
  const ClientOptions options;
  Turnstile turnstile;
};
using ClientPtr = std::shared_ptr<RemotePeers::Impl>;

// A call that has been opened. All but construction on the stream's executor.
class Exchange {
 public:
  explicit Exchange(p2p::StreamPtr stream) : stream_(std::move(stream)), reader_(stream_) {}

  const p2p::StreamPtr& stream() const { return stream_; }
  ValueReader& reader() { return reader_; }
  // Waits end then; zero: they do not.
  void set_limit(Duration limit);

  // The next answer's value, valid until the next call; nothing at the clean end. An answer that is
  // an error fails this call and all later ones.
  Task<Result<std::optional<BytesView>>> answer(size_t max_bytes);
  // The same for what has arrived already.
  Result<std::optional<BytesView>> buffered_answer(size_t max_bytes);
  // The value of the last answer was no good: this call and all later ones fail with it. Logged
  // once an hour and peer, as who asked hears only what was wrong with the bytes.
  tl::unexpected<Error> refuse(Error error);

 private:
  Status take_header(BytesView value);
  Task<Result<std::optional<BytesView>>> next_answer(size_t max_bytes);
  Result<std::optional<BytesView>> next_buffered(size_t max_bytes);

  p2p::StreamPtr stream_;
  ValueReader reader_;
  bool header_read_ = false;
  std::optional<Error> failed_;
};
using ExchangePtr = std::shared_ptr<Exchange>;

// Opens a call's stream with the first of `protocols` that the peer speaks.
Task<Result<ExchangePtr>> open_exchange(ClientPtr client, PeerId peer,
                                        std::vector<std::string> protocols, Duration limit,
                                        StopToken stop);
// Resets the stream when stopped.
struct ResetStream {
  p2p::StreamPtr stream;
  void operator()() const;
};
// In the words of the reference: what a stop and a deadline do to a call.
Error call_error(Error error, const StopToken& stop);
// We have what we want: closes the call without losing what is on its way.
void close_gently(p2p::StreamPtr stream);

// PinInfos as they arrive on a call that was opened and asked; and statuses in brief.
cluster::StreamPtr<api::PinInfo> remote_infos(ClientPtr client, ExchangePtr exchange,
                                              StopToken stop);
cluster::StreamPtr<cluster::BriefBatch> remote_briefs(ClientPtr client, ExchangePtr exchange,
                                                      StopToken stop);
Task<Result<std::unique_ptr<ipfs::BlockSink>>> open_block_stream(ClientPtr client, PeerId peer,
                                                                 StopToken stop);

}  // namespace ica::rpc
