#include "agent/telemetry/trace_exporter.h"

#include <atomic>
#include <mutex>

#include "common/api/peer.h"
#include "common/base/async.h"
#include "common/base/log.h"
#include "common/codec/pbwire.h"
#include "common/http/client.h"

namespace ica::telemetry {

namespace {

constexpr std::string_view kComponent = "tracing";
// A batch that is full leaves at once; this is how often the queue is looked at for that.
constexpr Duration kLook = std::chrono::milliseconds(200);
constexpr Duration kMaxPause = std::chrono::minutes(2);
constexpr Duration kLastCall = std::chrono::seconds(1);
constexpr size_t kMaxAnswer = 64 << 10;
// Span flags: the lower byte is that of W3C, bit 8 says that the next one is known.
constexpr uint64_t kHasIsRemote = 0x100;

BytesView view(const auto& id) {
  return {reinterpret_cast<const char*>(id.data()), id.size()};
}

void write_fixed64(Bytes& out, uint32_t field, uint64_t value) {
  out.push_back(static_cast<char>(field << 3 | 1));  // fields below 16
  for (int i = 0; i < 8; ++i, value >>= 8) {
    out.push_back(static_cast<char>(value & 0xff));
  }
}

void write_attribute(PbWriter& out, uint32_t field, std::string_view key,
                     const std::variant<std::string, int64_t>& value) {
  out.message(field, [&](PbWriter& pair) {
    pair.bytes(1, key);
    pair.message(2, [&](PbWriter& any) {
      if (const auto* text = std::get_if<std::string>(&value)) {
        any.bytes(1, *text);
      } else {
        any.varint(3, static_cast<uint64_t>(std::get<int64_t>(value)));
      }
    });
  });
}

void write_span(Bytes& buffer, PbWriter& out, const trace::SpanData& span) {
  out.message(2, [&](PbWriter& w) {
    w.bytes(1, view(span.context.trace_id));
    w.bytes(2, view(span.context.span_id));
    w.bytes_or_skip(3, span.context.state);
    if (span.parent != trace::SpanId{}) {
      w.bytes(4, view(span.parent));
    }
    w.bytes(5, span.name);
    w.varint(6, static_cast<uint64_t>(span.kind));
    write_fixed64(buffer, 7, static_cast<uint64_t>(span.start.unix_nanos()));
    write_fixed64(buffer, 8, static_cast<uint64_t>(span.end.unix_nanos()));
    for (const auto& attribute : span.attributes) {
      write_attribute(w, 9, attribute.key, attribute.value);
    }
    if (span.failed) {
      w.message(15, [&](PbWriter& status) {
        status.bytes_or_skip(2, span.message);
        status.varint(3, 2);  // STATUS_CODE_ERROR
      });
    }
    // Field 16, fixed32: key 133 as a varint.
    const uint64_t flags = kHasIsRemote | 1;
    buffer += {static_cast<char>(0x85),
               static_cast<char>(0x01),
               static_cast<char>(flags & 0xff),
               static_cast<char>(flags >> 8),
               '\0',
               '\0'};
  });
}

}  // namespace

Bytes encode_otlp(const TraceSettings& settings,
                  const std::vector<std::pair<std::string, std::string>>& resource,
                  const std::vector<trace::SpanData>& spans) {
  Bytes out;
  PbWriter(out).message(1, [&](PbWriter& resource_spans) {
    resource_spans.message(1, [&](PbWriter& w) {
      write_attribute(w, 1, "service.name", settings.service_name);
      for (const auto* list : {&resource, &settings.resource}) {
        for (const auto& [key, value] : *list) {
          write_attribute(w, 1, key, value);
        }
      }
    });
    resource_spans.message(2, [&](PbWriter& scope_spans) {
      scope_spans.message(1, [&](PbWriter& scope) {
        scope.bytes(1, "ipfs-cluster-agent");
        scope.bytes(2, api::kReferenceVersion);
      });
      for (const auto& span : spans) {
        write_span(out, scope_spans, span);
      }
    });
  });
  return out;
}

struct TraceExporter::Impl {
  Impl(TraceSettings s, std::vector<std::pair<std::string, std::string>> r)
      : settings(std::move(s)), resource(std::move(r)) {
    http::ClientOptions options;
    options.max_connections = 1;
    options.connect_timeout = std::min<Duration>(settings.timeout, std::chrono::seconds(5));
    options.user_agent = "ipfs-cluster-agent";
    client = std::make_unique<http::Client>(std::move(options));
  }

  const TraceSettings settings;
  const std::vector<std::pair<std::string, std::string>> resource;
  std::unique_ptr<http::Client> client;
  std::atomic<uint64_t> exported{0};
  std::atomic<uint64_t> dropped{0};
  std::mutex mutex;
  std::vector<trace::SpanData> queue;

  size_t waiting() {
    const std::lock_guard lock(mutex);
    return queue.size();
  }
  std::vector<trace::SpanData> take() {
    const std::lock_guard lock(mutex);
    const size_t n = std::min(queue.size(), settings.max_batch);
    const auto end = queue.begin() + static_cast<std::ptrdiff_t>(n);
    std::vector<trace::SpanData> out(std::make_move_iterator(queue.begin()),
                                     std::make_move_iterator(end));
    queue.erase(queue.begin(), end);
    return out;
  }

  Task<Status> post(std::vector<trace::SpanData> spans, Duration timeout, StopToken stop) {
    http::ClientRequest request;
    request.method = "POST";
    request.url = settings.url;
    request.headers = settings.headers;
    request.headers.emplace_back("Content-Type", "application/x-protobuf");
    request.body = encode_otlp(settings, resource, spans);
    request.timeout = timeout;
    request.max_body = kMaxAnswer;
    auto answer = co_await client->fetch(std::move(request), stop);
    if (answer && answer->status / 100 == 2) {
      exported.fetch_add(spans.size(), std::memory_order_relaxed);
      co_return Status();
    }
    dropped.fetch_add(spans.size(), std::memory_order_relaxed);
    if (!answer) {
      co_return fail(std::move(answer).error());
    }
    co_return fail(Code::Unavailable, "the collector answered {}", answer->status);
  }

  // Until a batch is full or the time is up.
  Task<Status> wait(Duration at_most, StopToken stop) {
    const auto end = std::chrono::steady_clock::now() + at_most;
    while (std::chrono::steady_clock::now() < end && waiting() < settings.max_batch) {
      const Duration left = end - std::chrono::steady_clock::now();
      const Status slept = co_await sleep_for(std::min(left, kLook), stop);
      if (!slept) {
        co_return slept;
      }
    }
    co_return Status();
  }
};

TraceExporter::TraceExporter(TraceSettings settings,
                             std::vector<std::pair<std::string, std::string>> resource)
    : impl_(std::make_unique<Impl>(std::move(settings), std::move(resource))) {}

TraceExporter::~TraceExporter() = default;

bool TraceExporter::sample(const trace::Context& parent, const trace::TraceId& trace_id) {
  const auto& sampler = impl_->settings.sampler;
  if (sampler.parent_based && parent.valid()) {
    return parent.sampled;
  }
  if (sampler.ratio >= 1 || sampler.ratio <= 0) {
    return sampler.ratio >= 1;
  }
  // As the SDKs do: the low 63 bits of the last eight bytes, so that all of them agree.
  uint64_t low = 0;
  for (size_t i = 8; i < 16; ++i) {
    low = low << 8 | trace_id[i];
  }
  return static_cast<double>(low >> 1) < sampler.ratio * 9223372036854775808.0;
}

void TraceExporter::record(trace::SpanData span) {
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->queue.size() < impl_->settings.max_queue) {
      impl_->queue.push_back(std::move(span));
      return;
    }
  }
  impl_->dropped.fetch_add(1, std::memory_order_relaxed);
}

Task<void> TraceExporter::run(std::shared_ptr<TraceExporter> self, StopToken stop) {
  Impl& impl = *self->impl_;
  log_info(kComponent, "traces go to {}", impl.settings.url);
  bool away = false;
  Duration pause{};
  while (!stop.stop_requested()) {
    const Status waited = co_await impl.wait(impl.settings.delay, stop);
    if (!waited) {
      break;
    }
    auto batch = impl.take();
    if (batch.empty()) {
      continue;
    }
    const Status sent = co_await impl.post(std::move(batch), impl.settings.timeout, stop);
    if (sent) {
      if (away) {
        log_info(kComponent, "the collector takes traces again");
      }
      away = false;
      pause = {};
      continue;
    }
    if (!away && !stop.stop_requested()) {
      log_warn(kComponent, "traces are dropped until the collector at {} takes them: {}",
               impl.settings.url, sent.error().message());
    }
    away = true;
    pause = std::min<Duration>(pause.count() == 0 ? std::chrono::seconds(1) : pause * 2, kMaxPause);
    const Status slept = co_await sleep_for(pause, stop);
    if (!slept) {
      break;
    }
  }
  auto rest = impl.take();
  if (!rest.empty() && !away) {
    const Status sent = co_await impl.post(std::move(rest), kLastCall, {});
    static_cast<void>(sent);
  }
}

TraceCounts TraceExporter::counts() const {
  return {impl_->exported.load(std::memory_order_relaxed),
          impl_->dropped.load(std::memory_order_relaxed)};
}

}  // namespace ica::telemetry
