#pragma once

#include <atomic>
#include <map>
#include <mutex>

#include "agent/crdt/history.h"
#include "agent/crdt/network.h"
#include "agent/p2p/stream.h"
#include "common/base/clock.h"

namespace ica::cmd {

// What peers of our kind say to each other about the pinset, on protocols that Go peers never see:
// long histories as one stream, and how each one's pinset stands. Must outlive the network's
// streams. Thread-safety: any thread.
class PinsetProtocol final : public crdt::HistorySource {
 public:
  static constexpr std::string_view kHistory = "/ica/crdt/history/1.0.0";
  static constexpr std::string_view kState = "/ica/crdt/state/1.0.0";

  // Histories are read on `disk`.
  PinsetProtocol(p2p::Network& network, const crdt::Replica& replica, Executor disk);

  // From here on peers are answered.
  void serve();
  // Asks the connected peers now and then, until stopped.
  static Task<void> ask_peers(PinsetProtocol* self, StopToken stop);
  // The last answers of those that are connected.
  std::vector<crdt::PeerPinset> peers() const;

  bool streams(const PeerId& peer) const override;
  Task<Status> stream(PeerId peer, Bytes request, std::shared_ptr<crdt::HistorySink> sink,
                      StopToken stop) override;

 private:
  static Task<void> serve_history(PinsetProtocol* self, p2p::StreamPtr stream);
  static Task<void> send_history(PinsetProtocol* self, p2p::StreamPtr stream);
  static Task<void> serve_state(PinsetProtocol* self, p2p::StreamPtr stream);
  static Task<Status> read_history(PinsetProtocol* self, PeerId peer, Bytes request,
                                   std::shared_ptr<crdt::HistorySink> sink, StopToken stop);
  static Task<void> ask(PinsetProtocol* self, PeerId peer, StopToken stop);

  p2p::Network& network_;
  const crdt::Replica& replica_;
  const Executor disk_;
  std::atomic<int> serving_{0};
  mutable std::mutex mutex_;
  std::map<PeerId, crdt::PeerPinset> peers_;
};

// How a pinset stands, as it goes over the wire. Errors of reading: InvalidArgument.
Bytes encode_pinset_info(const crdt::PinsetInfo& info);
Result<crdt::PinsetInfo> decode_pinset_info(BytesView message);

}  // namespace ica::cmd
