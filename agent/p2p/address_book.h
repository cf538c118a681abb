#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/codec/multiaddr.h"
#include "common/codec/peer_id.h"

namespace ica::p2p {

// Where an address comes from. Earlier ones are tried first and live longer.
enum class AddressSource {
  Permanent,   // cluster.peer_addresses; never goes
  Added,       // --bootstrap, POST /peers, the peerstore file; stays
  Identified,  // said by the peer itself; a day after it was last connected
  Learned,     // said by another member, mDNS, DNS; an hour
};

// The addresses of other peers. Bounded: at most kMaxPeers peers with kMaxAddresses each; of peers,
// the ones that were not heard of for longest make room. Thread-safety: any thread.
class AddressBook {
 public:
  static constexpr size_t kMaxPeers = 4096;
  static constexpr size_t kMaxAddresses = 32;

  explicit AddressBook(PeerId self) : self_(std::move(self)) {}

  // Addresses of ourselves, and those with the ID of another peer, are left out. True when one was
  // new.
  bool add(const PeerId& peer, const std::vector<Multiaddr>& addresses, AddressSource source,
           SteadyTime now);
  // A multiaddr with /p2p/ at its end. InvalidArgument without one.
  Status add(const Multiaddr& address, AddressSource source, SteadyTime now);
  // What the peer itself says replaces what others said and what it said before; names, permanent
  // addresses and `in_use` stay.
  void identified(const PeerId& peer, const std::vector<Multiaddr>& addresses,
                  const Multiaddr& in_use, SteadyTime now);
  // Addresses of a connected peer do not grow old.
  void set_connected(const PeerId& peer, bool connected, SteadyTime now);
  void remove(const PeerId& peer);

  // Without /p2p/, best first: the ones that worked last, then by source.
  std::vector<Multiaddr> addresses(const PeerId& peer, SteadyTime now) const;
  // Peers with at least one address.
  std::vector<PeerId> peers(SteadyTime now) const;
  // All, each with /p2p/.
  std::vector<Multiaddr> all(SteadyTime now) const;
  void worked(const PeerId& peer, const Multiaddr& address);

  // The text of the peerstore file: one address with /p2p/ a line; of a peer with names, only the
  // names, because IPs behind a name change.
  std::string peerstore(SteadyTime now) const;
  // Takes a peerstore file in, in its order. Lines that do not start with / are ignored; returns
  // the number of other lines that cannot be read.
  size_t load_peerstore(std::string_view text, SteadyTime now);

 private:
  struct Entry {
    Multiaddr address;
    AddressSource source = AddressSource::Learned;
    SteadyTime until;     // when it is dropped, while the peer is not connected
    uint64_t rank = 0;    // order of arrival
    bool worked = false;  // the last dial that succeeded used it
  };
  struct Peer {
    std::vector<Entry> entries;
    bool connected = false;
    SteadyTime heard;
  };
  bool put(Peer& peer, const Multiaddr& address, AddressSource source, SteadyTime now);
  void make_room();
  static bool alive(const Peer& peer, const Entry& entry, SteadyTime now);
  std::vector<Multiaddr> list(const PeerId& id, const Peer& peer, SteadyTime now) const;

  const PeerId self_;
  mutable std::mutex mutex_;
  std::map<PeerId, Peer> peers_;
  uint64_t next_rank_ = 0;
};

}  // namespace ica::p2p
