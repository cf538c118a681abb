#include "agent/rpc/methods.h"

#include <algorithm>

namespace ica::rpc {
namespace {

constexpr std::string_view kCluster = "Cluster";
constexpr std::string_view kTracker = "PinTracker";
constexpr std::string_view kConnector = "IPFSConnector";
constexpr std::string_view kConsensus = "Consensus";
constexpr std::string_view kMonitor = "PeerMonitor";

constexpr Method kMethods[] = {
    {kCluster, "Alerts", Policy::Closed},
    {kCluster, "BandwidthByProtocol", Policy::Closed},
    {kCluster, "BlockAllocate", Policy::Closed},
    {kCluster, "ConnectGraph", Policy::Closed},
    {kCluster, "ID", Policy::Open},
    {kCluster, "IDStream", Policy::Open},
    {kCluster, "IPFSID", Policy::Closed},
    {kCluster, "Join", Policy::Closed},
    {kCluster, "PeerAdd", Policy::Open},
    {kCluster, "PeerRemove", Policy::Trusted},
    {kCluster, "Peers", Policy::Trusted},
    {kCluster, "PeersWithFilter", Policy::Closed},
    {kCluster, "Pin", Policy::Closed},
    {kCluster, "PinGet", Policy::Closed},
    {kCluster, "PinPath", Policy::Closed},
    {kCluster, "Pins", Policy::Closed},
    {kCluster, "Recover", Policy::Closed},
    {kCluster, "RecoverAll", Policy::Closed},
    {kCluster, "RecoverAllLocal", Policy::Trusted},
    {kCluster, "RecoverLocal", Policy::Trusted},
    {kCluster, "RepoGC", Policy::Closed},
    {kCluster, "RepoGCLocal", Policy::Trusted},
    {kCluster, "SendInformerMetrics", Policy::Closed},
    {kCluster, "SendInformersMetrics", Policy::Closed},
    {kCluster, "Status", Policy::Closed},
    {kCluster, "StatusAll", Policy::Closed},
    {kCluster, "StatusAllLocal", Policy::Closed},
    {kCluster, "StatusLocal", Policy::Closed},
    {kCluster, "Unpin", Policy::Closed},
    {kCluster, "UnpinPath", Policy::Closed},
    {kCluster, "Version", Policy::Open},

    {kTracker, "PinQueueSize", Policy::Closed},
    {kTracker, "Recover", Policy::Trusted},
    {kTracker, "RecoverAll", Policy::Closed},
    {kTracker, "Status", Policy::Trusted},
    {kTracker, "StatusAll", Policy::Trusted},
    {kTracker, "Track", Policy::Closed},
    {kTracker, "Untrack", Policy::Closed},

    {kConnector, "BlockGet", Policy::Closed},
    {kConnector, "BlockStream", Policy::Trusted},
    {kConnector, "ConfigKey", Policy::Closed},
    {kConnector, "Pin", Policy::Closed},
    {kConnector, "PinLs", Policy::Closed},
    {kConnector, "PinLsCid", Policy::Closed},
    {kConnector, "RepoStat", Policy::Trusted},
    {kConnector, "Resolve", Policy::Closed},
    {kConnector, "SwarmPeers", Policy::Trusted},
    {kConnector, "Unpin", Policy::Closed},

    {kConsensus, "AddPeer", Policy::Trusted},
    {kConsensus, "LogPin", Policy::Trusted},
    {kConsensus, "LogUnpin", Policy::Trusted},
    {kConsensus, "Peers", Policy::Closed},
    {kConsensus, "RmPeer", Policy::Trusted},

    {kMonitor, "LatestMetrics", Policy::Closed},
    {kMonitor, "MetricNames", Policy::Closed},
};

}  // namespace

std::span<const Method> methods() {
  return kMethods;
}

const Method* find_method(std::string_view service, std::string_view name, bool& service_known) {
  service_known = false;
  for (const Method& method : kMethods) {
    if (method.service == service) {
      service_known = true;
      if (method.name == name) {
        return &method;
      }
    }
  }
  return nullptr;
}

}  // namespace ica::rpc
