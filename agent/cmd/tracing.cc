#include "agent/cmd/tracing.h"

#include <algorithm>
#include <map>

#include "common/api/peer.h"
#include "common/base/trace.h"

namespace ica::cmd {

namespace {

// OpenTelemetry's variables, and below them what the section observations/tracing says.
telemetry::Environment environment(const config::Tracing& tracing) {
  auto process = telemetry::process_environment();
  if (!tracing.enable_tracing) {
    return process;
  }
  std::map<std::string, std::string> fallback{
      {"OTEL_SERVICE_NAME", tracing.service_name},
      {"OTEL_TRACES_SAMPLER", "parentbased_traceidratio"},
  };
  if (!process("OTEL_TRACES_SAMPLER")) {
    fallback["OTEL_TRACES_SAMPLER_ARG"] = fmt::format("{}", std::min(1.0, tracing.sampling_prob));
  }
  return [process, fallback](const std::string& name) -> std::optional<std::string> {
    if (auto value = process(name); value && !value->empty()) {
      return value;
    }
    const auto found = fallback.find(name);
    return found != fallback.end() ? std::optional(found->second) : std::nullopt;
  };
}

}  // namespace

Result<std::shared_ptr<telemetry::TraceExporter>> start_tracing(const config::Config& config,
                                                                const PeerId& self) {
  TRY(auto settings,
      telemetry::read_trace_settings(environment(config.tracing), config.tracing.enable_tracing));
  if (!settings) {
    return nullptr;
  }
  std::vector<std::pair<std::string, std::string>> resource{
      {"service.version", std::string(api::kReferenceVersion)},
      {"service.instance.id", self.text()},
      {"host.name", config.cluster.peername},
  };
  auto exporter =
      std::make_shared<telemetry::TraceExporter>(*std::move(settings), std::move(resource));
  trace::install(exporter);
  return exporter;
}

}  // namespace ica::cmd
