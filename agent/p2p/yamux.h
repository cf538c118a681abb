#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/p2p/channel.h"
#include "agent/p2p/yamux_frame.h"
#include "common/base/time.h"

namespace ica::p2p::yamux {

struct Options {
  size_t max_inbound_streams = 1024;      // further ones are reset
  size_t max_streams = 4096;              // both directions together
  size_t max_unacknowledged = 256;        // own streams that the remote has not answered to yet
  uint32_t max_window = 4 * 1024 * 1024;  // receive window of one stream, grown as needed
  // Bytes that may wait for all readers of one connection; windows stop growing beyond it.
  size_t max_receive_bytes = 16 * 1024 * 1024;
  Duration keepalive_interval = std::chrono::seconds(30);
  Duration ping_timeout = std::chrono::seconds(10);
  size_t max_frame = 64 * 1024 - kHeaderSize;      // payload that we send in one frame
  uint32_t max_received_frame = 16 * 1024 * 1024;  // bounded by the window anyway
};

class Session;

// One stream. At most one read and one write at a time. All on the session's strand.
class YamuxStream final : public Channel, public std::enable_shared_from_this<YamuxStream> {
 public:
  YamuxStream(std::shared_ptr<Session> session, uint32_t id);
  ~YamuxStream() override;  // an open stream is reset

  Task<Result<Bytes>> read_some(size_t limit) override;
  Task<Status> write(Bytes data) override;
  // Half-close: the remote reads to the end of what was written.
  Task<Status> close_write();
  // Both directions at once; the remote's calls fail.
  void close() override { reset(); }
  void reset();
  // Reads and writes that are waiting then fail with Timeout; the zero time point removes it.
  void set_deadline(std::chrono::steady_clock::time_point at);

  uint32_t id() const { return id_; }

 private:
  friend class Session;
  enum class Half { Open, Closed };
  // Waits until notified or the deadline.
  Task<Status> wait(asio::steady_timer& timer);
  void fail_with(Error error);
  // The remote has reset the stream. What it sent completely before that stays readable.
  void on_reset();
  void on_acknowledged();
  void deliver(Bytes data);
  void grow_window();
  void finish_if_done();

  std::shared_ptr<Session> session_;
  const uint32_t id_;
  std::deque<Bytes> received_;
  size_t received_bytes_ = 0;
  size_t front_at_ = 0;
  uint32_t receive_window_ = kInitialWindow;  // what the remote may still send
  uint32_t window_size_ = kInitialWindow;     // what we grant at most
  std::chrono::steady_clock::time_point last_update_{};
  uint64_t send_window_ = kInitialWindow;
  Half read_half_ = Half::Open;   // closed by a FIN of the remote
  Half write_half_ = Half::Open;  // closed by our FIN
  std::optional<Error> error_;
  bool write_reset_ = false;  // by the remote, after its FIN
  bool acknowledged_ = true;  // false: opened by us, and the remote has not answered yet
  std::chrono::steady_clock::time_point deadline_{};
  asio::steady_timer readable_;
  asio::steady_timer writable_;
};
using YamuxStreamPtr = std::shared_ptr<YamuxStream>;

// A multiplexed connection. The dialler opens odd stream ids, the listener even ones. Any violation
// by the remote ends the session with a go-away. Thread-safety: used on one strand, the executor
// given.
class Session : public std::enable_shared_from_this<Session> {
 public:
  using OnStream = std::function<void(YamuxStreamPtr)>;
  using OnClose = std::function<void(const Error&)>;

  Session(ChannelPtr channel, bool dialler, Executor strand, Options options = {});
  ~Session();

  // Starts the reader, the writer and the keep-alive. `on_stream` is called for each stream that
  // the remote opens, `on_close` once when the session has ended.
  void start(OnStream on_stream, OnClose on_close);
  // Errors: Closed, Busy (too many streams).
  Result<YamuxStreamPtr> open();
  // The same, but waits while the other side has not acknowledged many streams yet: the Go
  // implementation resets what its accept backlog cannot hold. Errors: also Timeout.
  Task<Result<YamuxStreamPtr>> open_in_turn(std::chrono::steady_clock::time_point deadline);
  // The time that a ping takes. Errors: Timeout, Closed.
  Task<Result<Duration>> ping();
  // Ends the session and all of its streams.
  void close(GoAwayCode code = GoAwayCode::Normal, std::string reason = "closed");

  bool closed() const { return closed_; }
  size_t streams() const { return streams_.size(); }
  size_t inbound_streams() const { return inbound_; }
  Executor strand() const { return strand_; }

 private:
  friend class YamuxStream;

  static Task<void> read_loop(std::shared_ptr<Session> self);
  static Task<void> write_loop(std::shared_ptr<Session> self);
  static Task<void> keepalive_loop(std::shared_ptr<Session> self);
  Task<Status> read_frames();
  Status on_stream_frame(const Header& header, Bytes payload);
  Status on_ping(const Header& header);
  Result<YamuxStreamPtr> accept(const Header& header);
  // Queues a frame; control frames are never held back, but too many unsent ones end the session,
  // because then the remote does not read.
  void send_control(const Header& header);
  Task<Status> send_data(YamuxStream& stream, Bytes frame);
  void forget(uint32_t id);
  void acknowledged();

  ChannelPtr channel_;
  const bool dialler_;
  const Executor strand_;
  const Options options_;
  OnStream on_stream_;
  OnClose on_close_;
  bool closed_ = false;
  bool remote_gone_away_ = false;
  uint32_t next_id_;
  uint32_t told_of_reset_ = 0;  // the last stream whose data was answered by a reset
  size_t unacknowledged_ = 0;
  std::deque<asio::steady_timer*> open_waiters_;
  size_t inbound_ = 0;
  size_t receive_bytes_ = 0;  // waiting in all streams
  // Streams live as long as somebody holds them; the session knows them without owning them, but
  // for those that it still has to hand over.
  std::unordered_map<uint32_t, std::weak_ptr<YamuxStream>> streams_;
  Bytes outbox_;               // frames ready to be sent
  size_t outbox_control_ = 0;  // control frames in it
  asio::steady_timer outbox_filled_;
  std::vector<asio::steady_timer*> outbox_waiters_;
  uint32_t ping_value_ = 0;
  std::unordered_map<uint32_t, std::shared_ptr<asio::steady_timer>> pings_;
  std::chrono::steady_clock::time_point last_input_;
  asio::steady_timer keepalive_timer_;
};

}  // namespace ica::p2p::yamux
