#pragma once

#include <memory>

#include "agent/config/config.h"
#include "agent/telemetry/trace_exporter.h"
#include "common/codec/peer_id.h"

namespace ica::cmd {

// Begins to record traces when the settings or OpenTelemetry's variables ask for it. Null when not.
// The caller runs the exporter.
Result<std::shared_ptr<telemetry::TraceExporter>> start_tracing(const config::Config& config,
                                                                const PeerId& self);

}  // namespace ica::cmd
