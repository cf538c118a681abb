#pragma once

#include <string>

#include "agent/telemetry/sources.h"

namespace ica::telemetry {

// The answer to GET /metrics, in Prometheus' text format: the twelve names of the reference, the
// names that the operators' guide promises, and ours (ipfs_cluster_agent_*). Names and labels are a
// fixed set: no CID, address or user ever becomes a label. Thread-safety: any thread.
std::string metrics_text(const Sources& sources);

inline constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace ica::telemetry
