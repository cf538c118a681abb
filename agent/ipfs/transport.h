#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "agent/ipfs/breaker.h"
#include "agent/ipfs/http_connector.h"
#include "agent/ipfs/kubo_json.h"
#include "common/base/trace.h"
#include "common/http/client.h"

namespace ica::ipfs {

enum class Verb {
  Id,
  Version,
  PinLs,
  PinAdd,
  PinRm,
  PinUpdate,
  Resolve,
  RepoStat,
  RepoGc,
  SwarmPeers,
  SwarmConnect,
  Config,
  BlockGet,
  BlockPut,
  DagImport
};
inline constexpr size_t kVerbs = 15;

enum class Outcome { Ok, Error, Unreachable, Refused, Timeout, Cancelled };
inline constexpr size_t kOutcomes = 6;

// Counts calls and their durations. Thread-safety: any thread.
class CallCounter {
 public:
  void add(Verb verb, Outcome outcome, Duration took);
  std::vector<CallStats> snapshot() const;  // only series with calls
  void add_block(size_t size);
  BlockStats blocks() const;

 private:
  std::atomic<uint64_t> blocks_ = 0;
  std::atomic<uint64_t> block_bytes_ = 0;
  mutable std::mutex mutex_;
  std::array<std::array<CallStats, kOutcomes>, kVerbs> series_{};
};

class Transport;

// Measures one call from its start to finish(), which is called once; a span when the caller is
// within a trace.
class CallTimer {
 public:
  CallTimer(std::shared_ptr<Transport> transport, Verb verb);
  void finish(const Status& outcome);
  void finish(Outcome outcome);
  // For the request.
  const trace::Context& context() const { return span_.context(); }

 private:
  std::shared_ptr<Transport> transport_;
  const Verb verb_;
  const std::chrono::steady_clock::time_point start_;
  trace::Span span_;
  bool finished_ = false;
};

// A streamed answer of Kubo, read line by line.
class LineStream {
 public:
  static constexpr size_t kMaxLine = 1 << 20;
  LineStream(std::shared_ptr<Transport> transport, std::unique_ptr<http::ClientStream> stream,
             std::string url);
  // The next line that is not blank; nothing at the clean end. Fails when the answer is cut short,
  // also in the middle of a line, and with Kubo's words when it says in the trailer that it failed.
  Task<Result<std::optional<std::string>>> next();
  // Lines that are here already, without waiting.
  std::optional<std::string> ready() { return splitter_.next(); }
  http::ClientStream& raw() { return *stream_; }

 private:
  std::shared_ptr<Transport> transport_;
  std::unique_ptr<http::ClientStream> stream_;
  const std::string url_;
  LineSplitter splitter_{kMaxLine};
  bool ended_ = false;
};

// One Kubo's HTTP API with breaker and statistics; no knowledge of the single calls.
// Thread-safety: any thread.
class Transport : public std::enable_shared_from_this<Transport> {
 public:
  struct Target {
    std::string base;         // "http://127.0.0.1:5001"
    std::string unix_socket;  // or empty
  };
  Transport(HttpConnectorOptions options, Target target, Executor executor);

  const HttpConnectorOptions& options() const { return options_; }
  Breaker& breaker() { return breaker_; }
  CallCounter& counter() { return counter_; }
  Executor executor() const { return executor_; }

  // Asks until Kubo answers; one at a time.
  void start_prober();
  void shut_down();

  // POST <base>/api/v0/<path> and the whole answer, which is a 200.
  Task<Result<Bytes>> call(Verb verb, std::string path, Duration timeout, size_t max_body,
                           StopToken stop);
  // The same with the answer as lines. Deadlines: zero is none. The caller times the call.
  Task<Result<std::unique_ptr<LineStream>>> open_lines(std::string path, Duration idle_timeout,
                                                       StopToken stop,
                                                       trace::Context span = trace::current());
  // For a streamed request; neither waits for the answer nor looks at it.
  Task<Result<std::unique_ptr<http::ClientStream>>> open(std::string path, http::Headers headers,
                                                         StopToken stop,
                                                         trace::Context span = trace::current());

  std::string url(std::string_view path) const;
  // A failure of the exchange itself, in the reference's words; may open the breaker.
  Error lost(const Error& error, const std::string& url);
  // An answer that is not 200, in the reference's words.
  static Error refused(int status, std::string_view body, std::string_view path);
  // What the end of a call was.
  static Outcome outcome_of(const Status& status);
  // Waits for the answer's status; an answer that is not 200 is an error.
  Task<Status> expect_ok(http::ClientStream* stream, std::string path);

 private:
  static Task<void> probe(std::shared_ptr<Transport> self);
  static Task<void> probe_until_answer(std::shared_ptr<Transport> self);
  Status admit(const std::string& url) const;

  const HttpConnectorOptions options_;
  const Target target_;
  const Executor executor_;
  http::Client client_;
  Breaker breaker_;
  CallCounter counter_;
  std::atomic<bool> probing_ = false;
  StopSource stop_;
};

// The parts of HttpConnector that need more than one request.
Task<Result<PinKind>> ask_pin_status(std::shared_ptr<Transport> transport, Cid cid,
                                     api::PinMode mode, StopToken stop);
Task<Status> pin_with_progress(std::shared_ptr<Transport> transport, api::Pin pin,
                               std::function<void(PinProgress)> on_progress, StopToken stop);
Task<Result<std::unique_ptr<BlockSink>>> make_block_sink(std::shared_ptr<Transport> transport,
                                                         StopToken stop);
Task<Result<std::unique_ptr<BatchStream<ListedPin>>>> list_pins(
    std::shared_ptr<Transport> transport, std::string type, StopToken stop);

}  // namespace ica::ipfs
