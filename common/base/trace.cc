#include "common/base/trace.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <random>

namespace ica::trace {

namespace {

constexpr size_t kMaxState = 512;
constexpr size_t kMaxAttributes = 32;
constexpr size_t kMaxText = 1024;

struct Installed {
  std::atomic<bool> on{false};
  std::mutex mutex;
  std::shared_ptr<Recorder> recorder;
};

Installed& installed() {
  static Installed* const one = new Installed;  // outlives every thread
  return *one;
}

std::shared_ptr<Recorder> recorder() {
  Installed& i = installed();
  if (!i.on.load(std::memory_order_relaxed)) {
    return nullptr;
  }
  const std::lock_guard lock(i.mutex);
  return i.recorder;
}

thread_local const Context* t_current = nullptr;

class Scope {
 public:
  explicit Scope(const Context* context) : before_(std::exchange(t_current, context)) {}
  ~Scope() { t_current = before_; }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  const Context* const before_;
};

// Runs everything under a context. Properties are those of the executor inside.
class TracedExecutor {
 public:
  TracedExecutor(Executor inner, std::shared_ptr<const Context> context)
      : inner_(std::move(inner)), context_(std::move(context)) {}

  template <typename Property>
  auto query(const Property& property) const
      -> std::enable_if_t<asio::can_query<const Executor&, Property>::value,
                          typename asio::query_result<const Executor&, Property>::type> {
    return asio::query(inner_, property);
  }
  template <typename Property>
  auto require(const Property& property) const
      -> std::enable_if_t<asio::can_require<const Executor&, Property>::value, TracedExecutor> {
    return TracedExecutor(asio::require(inner_, property), context_);
  }
  template <typename Property>
  auto prefer(const Property& property) const
      -> std::enable_if_t<asio::can_prefer<const Executor&, Property>::value, TracedExecutor> {
    return TracedExecutor(asio::prefer(inner_, property), context_);
  }

  template <typename Function>
  void execute(Function&& function) const {
    inner_.execute(Run<std::decay_t<Function>>{context_, std::forward<Function>(function)});
  }

  friend bool operator==(const TracedExecutor& a, const TracedExecutor& b) noexcept {
    return a.context_ == b.context_ && a.inner_ == b.inner_;
  }

 private:
  template <typename Function>
  struct Run {
    std::shared_ptr<const Context> context;
    Function function;
    void operator()() {
      const Scope scope(context.get());
      std::move(function)();
    }
  };

  Executor inner_;
  std::shared_ptr<const Context> context_;
};

std::mt19937_64& random() {
  thread_local std::mt19937_64 engine = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  return engine;
}

template <size_t N>
std::array<uint8_t, N> random_id() {
  std::array<uint8_t, N> id{};
  while (id == std::array<uint8_t, N>{}) {
    for (size_t i = 0; i < N; i += 8) {
      uint64_t word = random()();
      for (size_t j = 0; j < 8; ++j, word >>= 8) {
        id[i + j] = static_cast<uint8_t>(word);
      }
    }
  }
  return id;
}

template <size_t N>
std::string to_hex(const std::array<uint8_t, N>& bytes) {
  std::string out;
  for (const uint8_t b : bytes) {
    out += fmt::format("{:02x}", b);
  }
  return out;
}

int digit(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

template <size_t N>
bool from_hex(std::string_view text, std::array<uint8_t, N>& out) {
  if (text.size() != 2 * N) {
    return false;
  }
  for (size_t i = 0; i < N; ++i) {
    const int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) {
      return false;
    }
    out[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return true;
}

}  // namespace

Context parse_headers(std::string_view traceparent, std::string_view tracestate) {
  // 00-<trace>-<span>-<flags>; a later version may have more behind it.
  Context context;
  std::array<uint8_t, 1> version{}, flags{};
  const bool shaped = traceparent.size() >= 55 && traceparent[2] == '-' && traceparent[35] == '-' &&
                      traceparent[52] == '-' && from_hex(traceparent.substr(0, 2), version) &&
                      from_hex(traceparent.substr(53, 2), flags);
  if (!shaped || version[0] == 0xff || (version[0] == 0 && traceparent.size() != 55) ||
      (traceparent.size() > 55 && traceparent[55] != '-') ||
      !from_hex(traceparent.substr(3, 32), context.trace_id) ||
      !from_hex(traceparent.substr(36, 16), context.span_id) || !context.valid()) {
    return {};
  }
  context.sampled = (flags[0] & 1) != 0;
  const bool printable = std::all_of(tracestate.begin(), tracestate.end(),
                                     [](char c) { return c >= 0x20 && c <= 0x7e; });
  if (tracestate.size() <= kMaxState && printable) {
    context.state = tracestate;
  }
  return context;
}

std::string traceparent(const Context& context) {
  return fmt::format("00-{}-{}-{}", to_hex(context.trace_id), to_hex(context.span_id),
                     context.sampled ? "01" : "00");
}

std::string hex(const TraceId& id) {
  return to_hex(id);
}

std::string hex(const SpanId& id) {
  return to_hex(id);
}

void install(std::shared_ptr<Recorder> recorder) {
  Installed& i = installed();
  const std::lock_guard lock(i.mutex);
  i.recorder.swap(recorder);
  i.on.store(i.recorder != nullptr, std::memory_order_relaxed);
}

bool enabled() {
  return installed().on.load(std::memory_order_relaxed);
}

Context current() {
  return t_current != nullptr ? *t_current : Context();
}

Executor with(Executor inner, Context context) {
  return TracedExecutor(std::move(inner), std::make_shared<const Context>(std::move(context)));
}

Span::Span(std::string name, Kind kind, const Context& parent) {
  data_.context = parent;
  auto to = recorder();
  if (!to) {
    return;
  }
  Context& context = data_.context;
  if (!parent.valid()) {
    context.trace_id = random_id<16>();
  }
  context.span_id = random_id<8>();
  context.sampled = to->sample(parent, context.trace_id);
  if (!context.sampled) {
    return;
  }
  recorder_ = std::move(to);
  data_.name = std::move(name);
  data_.kind = kind;
  data_.parent = parent.span_id;
  data_.start = Time::now();
}

Span& Span::operator=(Span&& other) noexcept {
  if (this != &other) {
    end();
    recorder_ = std::move(other.recorder_);
    data_ = std::move(other.data_);
  }
  return *this;
}

void Span::set(std::string_view key, std::string value) {
  if (recorder_ && data_.attributes.size() < kMaxAttributes) {
    value.resize(std::min(value.size(), kMaxText));
    data_.attributes.push_back({std::string(key), std::move(value)});
  }
}

void Span::set(std::string_view key, int64_t value) {
  if (recorder_ && data_.attributes.size() < kMaxAttributes) {
    data_.attributes.push_back({std::string(key), value});
  }
}

void Span::fail(std::string_view message) {
  if (recorder_) {
    data_.failed = true;
    data_.message = message.substr(0, kMaxText);
  }
}

void Span::end() {
  if (const auto to = std::exchange(recorder_, nullptr)) {
    data_.end = Time::now();
    const Context kept = data_.context;
    to->record(std::move(data_));
    data_ = SpanData();
    data_.context = kept;
  }
}

}  // namespace ica::trace
