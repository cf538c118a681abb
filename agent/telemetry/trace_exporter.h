#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "agent/telemetry/trace_settings.h"
#include "common/base/asio.h"
#include "common/base/bytes.h"
#include "common/base/trace.h"

namespace ica::telemetry {

// The body of an OTLP/HTTP request: ExportTraceServiceRequest of opentelemetry-proto 1.x.
Bytes encode_otlp(const TraceSettings& settings,
                  const std::vector<std::pair<std::string, std::string>>& resource,
                  const std::vector<trace::SpanData>& spans);

struct TraceCounts {
  uint64_t exported = 0;
  uint64_t dropped = 0;  // the queue was full, or the collector refused or was away
};

// Collects finished spans in a bounded queue and posts them to a collector in batches. While the
// collector is away, spans are dropped and it is asked with growing pauses: a slow or absent one
// costs neither memory nor time. Thread-safety: any thread.
class TraceExporter final : public trace::Recorder {
 public:
  // `resource`: attributes of this process beside those of the settings.
  TraceExporter(TraceSettings settings, std::vector<std::pair<std::string, std::string>> resource);
  ~TraceExporter() override;

  bool sample(const trace::Context& parent, const trace::TraceId& trace_id) override;
  void record(trace::SpanData span) override;

  // Exports until stopped, then once more what is left, for at most a second.
  static Task<void> run(std::shared_ptr<TraceExporter> self, StopToken stop);
  TraceCounts counts() const;

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace ica::telemetry
