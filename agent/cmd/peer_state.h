#pragma once

#include <memory>

#include "agent/cluster/event_log.h"
#include "agent/cmd/runtime.h"
#include "agent/config/identity.h"
#include "agent/crdt/local_pinset.h"
#include "agent/ipfs/http_connector.h"
#include "agent/tracker/pin_tracker.h"

namespace ica::cmd {

// What a peer keeps on disk and the parts that change it together: store, pinset and tracker, with
// the connector that the tracker works through. The daemon runs on it, `state import` fills it.
// Destroyed in the opposite order; the runtime's threads must have stopped by then.
struct PeerState {
  std::unique_ptr<store::Store> store;
  std::unique_ptr<crdt::Replica> replica;
  std::unique_ptr<crdt::LocalPinset> pinset;
  std::shared_ptr<ipfs::HttpConnector> connector;
  std::shared_ptr<tracker::PinTracker> tracker;  // observes the pinset, not started
  std::unique_ptr<cluster::EventLog> events;     // as well; null when none are kept

  // `folder` is that of the database. Errors name the part, in the reference's words.
  Status open(const std::filesystem::path& folder, const config::Config& config, const PeerId& self,
              Runtime& runtime, const Clock& clock);
};

}  // namespace ica::cmd
