#pragma once

#include <string>

#include "agent/cluster/cluster.h"
#include "agent/rest/exchange.h"

namespace ica::rest {

// A status with what this peer knows beyond the reference's fields, asked for with verbose=true:
// an object `detail` behind them, by peer ID. Other peers' details are not known here.
struct VerboseInfo {
  api::GlobalPinInfo info;
  std::string detail;  // a JSON object; empty: nothing to tell
};
void write_json(JsonWriter& json, const VerboseInfo& info);

VerboseInfo verbose(const cluster::Cluster& cluster, api::GlobalPinInfo info);
cluster::StreamPtr<VerboseInfo> verbose(const cluster::Cluster& cluster,
                                        cluster::StreamPtr<api::GlobalPinInfo> items);

inline bool wants_verbose(const Exchange& exchange) {
  return exchange.query.get("verbose") == "true";
}

}  // namespace ica::rest
