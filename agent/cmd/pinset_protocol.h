#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>

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
  // Hears which history a peer has, whenever it was asked. Before serve().
  void on_history(std::function<void(const PeerId&, const crdt::Epoch&)> handler);
  // Nothing when it does not answer.
  static Task<std::optional<crdt::PeerPinset>> ask(PinsetProtocol* self, PeerId peer,
                                                   StopToken stop);
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

  p2p::Network& network_;
  const crdt::Replica& replica_;
  const Executor disk_;
  std::atomic<int> serving_{0};
  std::function<void(const PeerId&, const crdt::Epoch&)> heard_history_;
  mutable std::mutex mutex_;
  std::map<PeerId, crdt::PeerPinset> peers_;
};

// How a pinset stands, as it goes over the wire. Errors of reading: InvalidArgument.
Bytes encode_pinset_info(const crdt::PinsetInfo& info);
Result<crdt::PinsetInfo> decode_pinset_info(BytesView message);
// The same with the history that it has.
Bytes encode_pinset_state(const crdt::PinsetInfo& info, const crdt::Epoch& epoch);
Result<crdt::Epoch> decode_pinset_history(BytesView message);

}  // namespace ica::cmd
