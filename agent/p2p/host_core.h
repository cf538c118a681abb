#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <map>
#include <mutex>
#include <set>

#include "agent/p2p/host.h"
#include "agent/p2p/identify.h"
#include "agent/p2p/upgrade.h"
#include "common/base/async.h"

// Inside of Host, shared by the host_*.cc files.
namespace ica::p2p {

struct HostCore;
using CorePtr = std::shared_ptr<HostCore>;

// A place among the connections of one remote IP, given back at the end.
class AddressSlots {
 public:
  class Slot {
   public:
    Slot(std::shared_ptr<AddressSlots> slots, std::string ip)
        : slots_(std::move(slots)), ip_(std::move(ip)) {}
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    ~Slot() { slots_->release(ip_); }

   private:
    std::shared_ptr<AddressSlots> slots_;
    std::string ip_;
  };
  // Null when the address has `limit` already.
  static std::shared_ptr<Slot> take(const std::shared_ptr<AddressSlots>& slots,
                                    const std::string& ip, size_t limit);

 private:
  void release(const std::string& ip);
  std::mutex mutex_;
  std::map<std::string, size_t> used_;
};

// One upgraded connection. The session is touched on `strand` only.
struct Connection {
  PeerId peer;
  Executor strand;
  std::shared_ptr<yamux::Session> session;
  bool dialler = false;
  Multiaddr remote;  // TCP address of the other side
  SteadyTime since;
  size_t secret = 0;
  std::shared_ptr<AddressSlots::Slot> slot;
  std::atomic<bool> closed{false};
  bool draining = false;  // home strand: superseded by another connection
};
using ConnectionPtr = std::shared_ptr<Connection>;

// What identify has told of a peer.
struct PeerInfo {
  std::vector<std::string> protocols;
  std::string agent_version;
  bool speaks(std::string_view protocol) const;
};

struct PeerState {
  std::vector<ConnectionPtr> connections;  // the first one is used
  std::shared_ptr<const PeerInfo> info;
  bool announced = false;  // the subscribers know of it
};

// A dial in progress, shared by all who wait for it. Home strand.
struct Dial {
  explicit Dial(Executor home) : done(std::move(home)) {}
  Event done;
  bool finished = false;
  std::optional<Error> error;
};

// After failed dials the next ones fail at once for a while. Home strand.
struct BackOff {
  int failures = 0;
  SteadyTime until;
  std::optional<Error> error;
};

struct HostCore : std::enable_shared_from_this<HostCore> {
  HostCore(Executor executor, HostOptions o);

  const HostOptions options;
  const PeerId self;
  const Executor net;
  const Executor home;  // a strand: the bookkeeping below that is not guarded by the mutex
  AddressBook book;
  HostStats stats;
  std::shared_ptr<ByteCounters> bytes = std::make_shared<ByteCounters>();
  TrafficTable traffic;
  StopSource stop;
  std::atomic<int64_t> coroutines{0};
  Event idle;  // notified when the last coroutine has ended
  Event keeper_wakes;

  mutable std::mutex mutex;  // guards what follows, up to the empty line
  std::map<std::string, std::function<Task<void>(StreamPtr)>, std::less<>> handlers;
  std::map<PeerId, PeerState> peers;  // changed on the home strand only
  std::vector<Multiaddr> listening;   // as bound, with real ports
  std::vector<Bytes> secrets;
  std::set<PeerId> protected_peers;
  bool started = false;

  std::vector<PeerEvents> subscribers;
  std::map<PeerId, std::shared_ptr<Dial>> dials;
  std::map<PeerId, BackOff> back_offs;
  std::vector<std::shared_ptr<asio::ip::tcp::acceptor>> acceptors;
  std::map<uint64_t, StopSource> pending_accepts;
  uint64_t next_accept = 0;
  std::shared_ptr<AddressSlots> slots = std::make_shared<AddressSlots>();
  std::atomic<int64_t> negotiating{0};  // inbound streams whose protocol is not known yet
  bool push_scheduled = false;
  std::string saved_peerstore;

  SteadyTime now() const { return std::chrono::steady_clock::now(); }
  StopToken stopped() const { return stop.get_token(); }
  bool stopping() const { return stop.stop_requested(); }
  std::vector<Bytes> current_secrets() const;
  // Runs a coroutine that stop() waits for.
  void launch(Executor executor, Task<void> task, const char* what);

  // ---- host_connections.cc: the table of connections. Home strand.
  // Takes a fresh connection in and starts it; false when it is not wanted (it is then closed).
  bool adopt(ConnectionPtr connection);
  void removed(const ConnectionPtr& connection, const Error& why);
  void announce(const PeerId& peer);
  void trim();
  ConnectionPtr preferred(const PeerId& peer) const;  // any thread
  static void close(const ConnectionPtr& connection, std::string why);
  static Task<void> drain(CorePtr core, ConnectionPtr connection);

  // ---- host_dial.cc. Home strand.
  static Task<Result<ConnectionPtr>> connection_to(CorePtr core, PeerId peer, SteadyTime deadline,
                                                   StopToken stop, bool ignore_back_off);
  static Task<Result<PeerId>> connect_address(CorePtr core, Multiaddr address, SteadyTime deadline,
                                              StopToken stop);
  static Task<void> run_dial(CorePtr core, PeerId peer, std::shared_ptr<Dial> dial);

  // ---- host_accept.cc
  Status listen();
  static Task<void> accept_loop(CorePtr core, std::shared_ptr<asio::ip::tcp::acceptor> acceptor);
  // Begins to shake hands, on `strand`, or closes the channel: too many. Home strand.
  void accept(const Executor& strand, ChannelPtr channel, const Multiaddr& remote);

  // ---- host_streams.cc. On the connection's strand.
  static Task<Result<StreamPtr>> open_on(CorePtr core, ConnectionPtr connection,
                                         std::vector<std::string> protocols, SteadyTime deadline,
                                         StopToken stop);
  static Task<void> serve_stream(CorePtr core, ConnectionPtr connection, yamux::YamuxStreamPtr raw);
  std::shared_ptr<const PeerInfo> info(const PeerId& peer) const;  // any thread

  // ---- host_identify.cc
  void add_own_handlers();
  IdentifyMessage own_identify(const Multiaddr& observed) const;
  std::vector<Multiaddr> announced_addresses() const;
  // Asks the other side who it is, and announces it. On the connection's strand.
  static Task<void> identify(CorePtr core, ConnectionPtr connection);
  void identified(const ConnectionPtr& connection, const IdentifyMessage& message);  // home strand
  void schedule_push();                                                              // home strand

  // ---- host_keeper.cc. Home strand.
  static Task<void> keep_connected(CorePtr core);
  static Task<void> save_now_and_then(CorePtr core);
  static Task<void> follow_name(CorePtr core, std::string name);
  static Task<Status> save(CorePtr core);
  // host_mdns.cc
  static Task<void> discover(CorePtr core);
  void load_peers();
};

}  // namespace ica::p2p
