#pragma once

#include <atomic>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/base/log.h"
#include "common/http/request_parser.h"
#include "common/http/server.h"
#include "common/http/tls.h"

namespace ica::http {

class Connection;

// What a server's connections share. They hold it, so it outlives the Server while handlers run.
// Thread-safety: any thread.
struct ServerState : std::enable_shared_from_this<ServerState> {
  ServerState(asio::io_context& c, ServerOptions o, Handler h);

  void add(Connection* connection);
  void remove(Connection* connection);
  // The connections that exist now.
  std::vector<std::shared_ptr<Connection>> snapshot();
  TlsContext tls_context();

  asio::io_context& context;
  const ServerOptions options;
  const Handler handler;
  ServerStats stats;
  std::atomic<bool> stopping{false};
  std::atomic<int64_t> busy{0};  // requests whose handler has not returned
  LogLimiter limiter;

 private:
  friend class Server;
  void tick();
  void check_some(std::vector<std::shared_ptr<Connection>> due, int64_t now);
  void arm_tick();

  std::mutex mutex_;
  Connection* first_ = nullptr;
  TlsContext tls_;
  bool ticking_ = false;
  const std::chrono::nanoseconds tick_interval_;
  asio::strand<asio::io_context::executor_type> strand_;
  asio::steady_timer timer_;  // strand_ only
};

// One accepted socket. While it is idle it holds no buffer, parser, coroutine or timer: deadlines
// are a number that the server's one timer compares. Everything happens on its strand, but for
// deadline() and the intrusive list's links, which belong to ServerState.
class Connection final : public std::enable_shared_from_this<Connection>,
                         private BodyReader,
                         private ResponseWriter {
 public:
  // Takes the descriptor over. `remote` is what requests show as theirs.
  Connection(std::shared_ptr<ServerState> server, int descriptor, std::string remote);
  ~Connection() override;

  // Any thread.
  void start();
  void check_deadline(int64_t now);
  void begin_shutdown();
  void cut();

 private:
  friend struct ServerState;
  using Strand = asio::strand<asio::io_context::executor_type>;
  using Wait = asio::posix::descriptor_base;
  struct Exchange;

  // connection.cc: requests
  void process_input();
  bool start_exchange(size_t head_size);
  void refuse(const Refusal& refusal);
  static Task<void> run(std::shared_ptr<Connection> self);
  Task<void> discard_body();
  void end_exchange();
  void await_head();
  Task<Result<std::optional<Bytes>>> read() override;
  void cancel_read() override;
  Status decode_body(Bytes& piece);
  Task<Status> send(int status, Headers headers, Bytes body) override;
  Task<Status> begin(int status, Headers headers) override;
  Task<Status> write(Bytes piece) override;
  Task<Status> end(Headers trailers) override;
  bool begun() const override;
  void close_after() override;
  void append_head(int status, const Headers& headers, std::optional<uint64_t> length);

  // connection_io.cc: bytes
  Task<void> enter_strand();
  void arm_read(Wait::wait_type what = Wait::wait_read);
  void on_readable();
  void arm_write(Wait::wait_type what = Wait::wait_write);
  Transport::Outcome fill(size_t at_most);
  void try_flush(bool wait_for_writable = true);
  void handshake();
  void linger();
  void flush_soon();
  Task<Status> drain(size_t limit);
  Task<Status> write_through(const Bytes& bytes);
  void on_timer(int64_t now);
  void client_gone();
  void finish_and_close();
  void close();
  size_t pending() const { return out_.size() - out_done_; }
  void set_read_deadline(int64_t at);
  void set_write_deadline(int64_t at);

  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  std::shared_ptr<ServerState> server_;
  Strand strand_;
  asio::posix::basic_stream_descriptor<asio::io_context::executor_type> descriptor_;
  Transport transport_;
  const std::string remote_;
  std::string in_;   // received, not used yet
  std::string out_;  // to be sent from out_done_ on
  size_t out_done_ = 0;
  size_t scanned_ = 0;  // of in_, for the end of a head
  std::unique_ptr<Exchange> exchange_;
  int64_t read_deadline_ = kNever;
  int64_t write_deadline_ = kNever;
  std::atomic<int64_t> deadline_{kNever};  // the earlier of both
  bool closed_ = false;                    // the descriptor is closed
  bool gone_ = false;                      // the client has closed or the connection failed
  bool closing_ = false;                   // close when out_ is empty
  bool lingering_ = false;                 // only reading, so that the client sees the last answer
  bool unread_ = false;                    // the client may still be sending when the answer is out
  bool handshaking_ = false;
  bool head_begun_ = false;    // the awaited head's time is running
  bool line_checked_ = false;  // of the awaited head
  bool processing_ = false;
  bool read_armed_ = false;
  bool write_armed_ = false;
  bool flush_posted_ = false;
  Connection* previous_ = nullptr;  // of ServerState
  Connection* next_ = nullptr;
};

}  // namespace ica::http
