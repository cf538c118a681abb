#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/asio.h"
#include "common/base/time.h"

// Traces as OpenTelemetry and W3C Trace Context have them: spans with a parent, across coroutines
// and processes. Nothing is recorded, and nothing is paid, before a Recorder is installed.
namespace ica::trace {

using TraceId = std::array<uint8_t, 16>;
using SpanId = std::array<uint8_t, 8>;

// Where in which trace we are. Thread-safety: a value.
struct Context {
  TraceId trace_id{};
  SpanId span_id{};
  bool sampled = false;
  std::string state{};  // the header "tracestate", carried on

  bool valid() const { return trace_id != TraceId{} && span_id != SpanId{}; }
};

// The headers "traceparent" and "tracestate" of a request; an invalid context when they are none.
// A tracestate of more than 512 bytes is dropped.
Context parse_headers(std::string_view traceparent, std::string_view tracestate);
// The header "traceparent" for calls from within this context.
std::string traceparent(const Context& context);
std::string hex(const TraceId& id);
std::string hex(const SpanId& id);

// Numbers as in OTLP.
enum class Kind { Internal = 1, Server = 2, Client = 3 };

struct Attribute {
  std::string key;
  std::variant<std::string, int64_t> value;
};

struct SpanData {
  std::string name;
  Kind kind = Kind::Internal;
  Context context;
  SpanId parent{};  // zero: it is a root
  Time start, end;
  std::vector<Attribute> attributes;
  bool failed = false;
  std::string message;  // why
};

// Where finished spans go. Thread-safety: any thread; must not block.
class Recorder {
 public:
  virtual ~Recorder() = default;
  // Whether a new span is recorded; `parent` may be invalid.
  virtual bool sample(const Context& parent, const TraceId& trace_id) = 0;
  virtual void record(SpanData span) = 0;
};

// Null: recording ends. Spans that are open then are dropped.
void install(std::shared_ptr<Recorder> recorder);
bool enabled();

// The context of the coroutine that runs here; invalid outside of with().
Context current();

// An executor like `inner` under which current() is `context`, for co_spawn: it holds for the whole
// coroutine and for those that it spawns on its own executor.
Executor with(Executor inner, Context context);

// Something that takes time. It is recorded when it ends, at the latest with its destruction.
// Thread-safety: one thread at a time.
class Span {
 public:
  Span() = default;  // records nothing
  // A child of `parent`, or a root when that is invalid.
  Span(std::string name, Kind kind, const Context& parent);
  ~Span() { end(); }
  Span(Span&& other) noexcept = default;
  Span& operator=(Span&& other) noexcept;

  bool recording() const { return recorder_ != nullptr; }
  // Of this span; its parent's when nothing was installed.
  const Context& context() const { return data_.context; }
  void set(std::string_view key, std::string value);
  void set(std::string_view key, int64_t value);
  void fail(std::string_view message);
  void end();

 private:
  std::shared_ptr<Recorder> recorder_;
  SpanData data_;
};

}  // namespace ica::trace
