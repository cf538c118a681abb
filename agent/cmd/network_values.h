#pragma once

#include "agent/cmd/peer_network.h"
#include "agent/telemetry/sources.h"

namespace ica::cmd {

// The network's counters as the metrics show them. Thread-safety: from any thread.
telemetry::NetworkValues network_values(const PeerNetwork& network);

}  // namespace ica::cmd
