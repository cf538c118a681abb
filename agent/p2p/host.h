#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/p2p/address_book.h"
#include "agent/p2p/channel.h"
#include "agent/p2p/host_stats.h"
#include "agent/p2p/stream.h"
#include "agent/p2p/traffic.h"
#include "agent/p2p/yamux.h"
#include "common/crypto/key.h"

namespace ica::p2p {

struct HostOptions {
  explicit HostOptions(PrivateKey key) : identity(std::move(key)) {}

  PrivateKey identity;
  // Of the private network, kPskBytes each: the first is used for dialling, all are accepted, and a
  // dial falls back to the next one. None: an open network.
  std::vector<Bytes> secrets;
  std::vector<Multiaddr> listen;       // what has no TCP is skipped
  std::vector<Multiaddr> announce;     // told to others instead of `listen`
  std::vector<Multiaddr> no_announce;  // never told
  std::string agent_version = "ipfs-cluster-agent";
  std::filesystem::path peerstore;        // empty: no file
  std::vector<Multiaddr> peer_addresses;  // permanent, each with /p2p/
  // Names without a peer ID, each "name" or "name:port": all their addresses are dialled and the
  // IDs learned in the handshake.
  std::vector<std::string> bootstrap_names;
  uint16_t default_port = 9096;
  Executor disk;  // where files are written; empty: on the host's own threads
  yamux::Options yamux;

  Duration dial_timeout = std::chrono::seconds(3);     // one peer, all addresses
  Duration accept_timeout = std::chrono::seconds(15);  // upgrade of an inbound connection
  Duration negotiate_timeout = std::chrono::seconds(10);
  Duration identify_timeout = std::chrono::seconds(5);
  Duration reconnect_min = std::chrono::seconds(1);
  Duration reconnect_max = std::chrono::minutes(1);
  Duration resolve_interval = std::chrono::seconds(15);  // of bootstrap_names; faster while alone
  Duration mdns_interval{};                          // of questions on the local network; 0: none
  Duration save_interval = std::chrono::minutes(5);  // of the peerstore file, when it changed
  bool reconnect = true;

  size_t max_connections = 800;
  size_t max_connections_per_address = 256;  // inbound, per remote IP
  size_t max_pending_accepts = 128;          // further ones push out the oldest
  size_t high_water = 400;                   // more connections are trimmed ...
  size_t low_water = 100;                    // ... to this many
  Duration trim_grace = std::chrono::minutes(2);
  size_t max_inbound_streams = 8192;  // over all connections
};

struct HostCore;

// A libp2p peer: listens, dials, keeps one connection to each known peer, and carries streams
// (docs/network.md). Thread-safety: any thread, but start() and stop() once each.
class Host final : public Network {
 public:
  // `net`: an executor of a running context; several threads are fine.
  Host(Executor net, HostOptions options);
  // A host that was not stopped is cut off.
  ~Host() override;

  // Listens, reads the peerstore file, begins to connect. Handlers registered before are announced
  // from the first connection on. Fails when no address can be listened on.
  Status start();
  // Ends all connections, writes the peerstore file. Ends within about a second.
  Task<void> stop();

  const PeerId& self() const override;
  Task<Result<StreamPtr>> open_stream(PeerId peer, std::vector<std::string> protocols,
                                      Duration timeout, StopToken stop) override;
  void handle(std::string protocol, std::function<Task<void>(StreamPtr)> handler) override;
  void subscribe(PeerEvents events) override;
  std::vector<PeerId> connected_peers() const override;
  bool speaks(const PeerId& peer, std::string_view protocol) const override;
  // What others are told: announced addresses, or those that we listen on. Without /p2p/.
  std::vector<Multiaddr> listen_addresses() const override;
  std::vector<Multiaddr> known_addresses(const PeerId& peer) const override;

  // For cluster::PeerGroup: the same with /p2p/<self>, and all known addresses of the others.
  std::vector<Multiaddr> own_addresses() const;
  std::vector<Multiaddr> known_addresses() const;
  std::map<std::string, TrafficSnapshot> bandwidth() const;
  const HostStats& stats() const;

  // Connects to a known peer, or does nothing when connected. Errors: Unavailable,
  // PermissionDenied, Timeout, Cancelled.
  Task<Status> connect(PeerId peer, Duration timeout, StopToken stop);
  // Connects to whoever answers at `address`; its ID. Errors as above.
  Task<Result<PeerId>> connect_address(Multiaddr address, Duration timeout, StopToken stop);
  // Adds addresses of members; the host then connects to them by itself.
  Status add_address(const Multiaddr& with_peer, AddressSource source = AddressSource::Added);
  void add_addresses(const PeerId& peer, const std::vector<Multiaddr>& addresses,
                     AddressSource source = AddressSource::Learned);
  // Takes a connection in whose dialler is at `remote`, whatever carries its bytes: handshake,
  // limits and all else are as for one that was accepted on a socket. `channel` is used on one
  // strand.
  void accept(ChannelPtr channel, Multiaddr remote);
  // Forgets the addresses of a peer, so that it is not dialled any more; open connections stay.
  void forget(const PeerId& peer);
  // Ends the connections to a peer.
  void disconnect(const PeerId& peer);
  // The peer is kept connected when connections are trimmed.
  void protect(const PeerId& peer, bool on = true);
  // For overlapping rotation; concerns new connections only.
  void set_secrets(std::vector<Bytes> secrets);
  Task<Result<Duration>> ping(PeerId peer, Duration timeout, StopToken stop);
  // As the peer said of itself in identify; empty before.
  std::string agent_version(const PeerId& peer) const;
  size_t connections(const PeerId& peer) const;

 private:
  std::shared_ptr<HostCore> core_;
};

}  // namespace ica::p2p
