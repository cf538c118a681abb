#pragma once

// Shared between the bitswap*.cc files only.
#include <atomic>
#include <deque>
#include <map>
#include <set>
#include <unordered_map>

#include "agent/p2p/bitswap.h"
#include "common/base/async.h"
#include "common/base/clock.h"

namespace ica::p2p {

inline constexpr std::string_view kBitswap12 = "/ipfs/bitswap/1.2.0";

// Everything runs on `strand` unless it says otherwise.
struct Bitswap::Impl : std::enable_shared_from_this<Impl> {
  using Self = std::shared_ptr<Impl>;

  struct Ledger {
    WantType type = WantType::Block;
    bool send_dont_have = false;
    bool queued = false;   // in Peer::pending
    bool waiting = false;  // in `waiting`: we do not have it
  };
  struct Peer {
    Peer(PeerId i, const Executor& strand) : id(std::move(i)), changed(strand) {}
    const PeerId id;
    Event changed;
    bool connected = true;
    // What goes out to it next, in batches.
    std::deque<WantEntry> wants;
    std::deque<BlockPresence> presences;
    std::deque<BitswapBlock> blocks;
    size_t block_bytes = 0;
    bool writing = false;
    StreamPtr out;
    // What it wants from us.
    std::unordered_map<Cid, Ledger> ledger;
    std::deque<Cid> pending;  // to be looked up
    bool serving = false;

    bool nothing_to_send() const { return wants.empty() && presences.empty() && blocks.empty(); }
  };
  using PeerPtr = std::shared_ptr<Peer>;

  // A block that we want.
  struct Want {
    explicit Want(const Executor& strand) : changed(strand) {}
    Event changed;
    std::optional<Bytes> block;
    PeerId server;
    std::set<PeerId> asked;
    std::set<PeerId> refused;
    int fetches = 0;
  };
  using WantPtr = std::shared_ptr<Want>;

  // A message whose blocks have been hashed.
  struct Incoming {
    BitswapMessage message;
    std::vector<std::pair<Cid, Bytes>> blocks;
  };

  Impl(Network& n, BlockReader r, const Executor& net, Executor disk_executor, Options o)
      : network(n),
        reader(std::move(r)),
        disk(std::move(disk_executor)),
        options(o),
        strand(asio::make_strand(net)) {}

  Network& network;
  const BlockReader reader;
  const Executor disk;
  const Options options;
  const Executor strand;
  StopSource stop;
  std::atomic<int> running{0};
  std::atomic<size_t> waiting_count{0};

  std::map<PeerId, PeerPtr> peers;
  std::unordered_map<Cid, WantPtr> wants;
  std::unordered_map<Cid, std::set<PeerId>> waiting;  // wanted from us, not here
  std::set<StreamPtr> inbound;
  uint64_t turn = 0;  // spreads load over peers

  struct Counters {
    std::atomic<uint64_t> fetched{0}, failed{0}, blocks_in{0}, bytes_in{0}, unwanted{0},
        malformed{0}, wants_in{0}, blocks_out{0}, bytes_out{0}, refused{0};
  } counters;

  bool stopped() const { return stop.stop_requested(); }
  void launch(Task<void> task, const char* what);
  static Task<void> counted(Self self, Task<void> task);

  // --- asking (bitswap.cc)
  PeerPtr peer_of(const PeerId& id);
  void on_disconnected(const PeerId& id);
  void take_block(const PeerId& from, const Cid& cid, Bytes data);
  void refuse(const PeerId& from, const Cid& cid);
  void refuse_all(const PeerId& from);
  std::optional<PeerId> choose(const Want& want, const PeerId& first);
  void finish(const Cid& cid, const WantPtr& want);
  static Task<Result<Bytes>> run_fetch(Self self, Cid cid, PeerId first, StopToken stop);
  static Task<void> end_all(Self self);
  static Task<void> wait_all(Self self);

  // --- serving (bitswap_server.cc)
  void take_wants(const PeerPtr& peer, const BitswapMessage& message);
  void forget_want(const PeerPtr& peer, const Cid& cid);
  void forget_ledger(const PeerPtr& peer);
  void enqueue(const PeerPtr& peer, const Cid& cid, Ledger& entry);
  void serve(const PeerPtr& peer);
  void answer(const PeerPtr& peer, const Cid& cid, std::optional<Bytes> block);
  void make_available(const std::vector<Cid>& cids);
  static Task<void> run_server(Self self, PeerPtr peer);

  // --- streams (bitswap_streams.cc)
  void flush(const PeerPtr& peer);
  static BitswapMessage next_message(const Options& options, Peer& peer);
  static Task<void> run_writer(Self self, PeerPtr peer);
  static Task<bool> send(Self self, PeerPtr peer, Bytes bytes);
  static Task<bool> enter(Self self, StreamPtr stream);
  static Task<void> leave(Self self, StreamPtr stream);
  static Task<bool> take(Self self, PeerId from, Incoming incoming);
  static Task<void> read_stream(Self self, StreamPtr stream);
  static Task<void> accept(std::weak_ptr<Impl> weak, StreamPtr stream);
};

}  // namespace ica::p2p
