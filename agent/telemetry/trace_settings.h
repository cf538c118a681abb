#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"

namespace ica::telemetry {

// What OpenTelemetry's standard variables ask for:
//   OTEL_SDK_DISABLED, OTEL_TRACES_EXPORTER (otlp or none), OTEL_EXPORTER_OTLP_[TRACES_]ENDPOINT,
//   OTEL_EXPORTER_OTLP_[TRACES_]HEADERS, OTEL_EXPORTER_OTLP_[TRACES_]TIMEOUT (milliseconds),
//   OTEL_EXPORTER_OTLP_[TRACES_]PROTOCOL (http/protobuf only), OTEL_SERVICE_NAME,
//   OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG,
//   OTEL_BSP_MAX_QUEUE_SIZE, OTEL_BSP_MAX_EXPORT_BATCH_SIZE, OTEL_BSP_SCHEDULE_DELAY
struct TraceSettings {
  // How to decide about a span without a parent, and whether a parent's decision counts.
  struct Sampler {
    bool parent_based = true;
    double ratio = 1;
  };

  std::string url;  // with /v1/traces
  std::vector<std::pair<std::string, std::string>> headers;
  Duration timeout = std::chrono::seconds(10);
  std::string service_name = "ipfs-cluster-agent";
  std::vector<std::pair<std::string, std::string>> resource;  // without service.name
  Sampler sampler;
  size_t max_queue = 2048;
  size_t max_batch = 512;
  Duration delay = std::chrono::seconds(5);
};

// The value of a variable; nothing when it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

// Nothing when no traces are wanted: without an endpoint, unless `enabled` (the reference's setting
// tracing.enable_tracing or --tracing), which means http://localhost:4318. Errors
// (InvalidArgument) name the variable.
Result<std::optional<TraceSettings>> read_trace_settings(const Environment& environment,
                                                         bool enabled);

}  // namespace ica::telemetry
