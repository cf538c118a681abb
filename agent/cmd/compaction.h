#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

#include "agent/cluster/compactor.h"
#include "agent/cluster/trust.h"
#include "agent/cmd/compact_message.h"
#include "agent/cmd/history_switch.h"
#include "agent/cmd/pinset_protocol.h"
#include "agent/p2p/stream.h"

namespace ica::cmd {

// The history of the pinset is begun anew on all peers together: one leads, all others obey on a
// stream each, and what was not confirmed by all is called off. A peer that missed it notices by
// the announcements and answers of the others. docs/compaction.md. Must outlive the network's
// streams. Thread-safety: any thread.
class Compaction final : public cluster::Compactor {
 public:
  static constexpr std::string_view kProtocol = "/ica/crdt/compact/1.0.0";

  struct Needs {
    p2p::Network& network;
    PinsetProtocol& pinsets;
    HistorySwitch& history;
    const crdt::Replica& replica;
    std::shared_ptr<const cluster::Trust> trust;
    const Clock& clock;
    // Everybody who may have the present history, connected or not, without this peer.
    std::function<std::vector<PeerId>()> known_peers;
    // Runs a task to its end, or to the stop of the peer.
    std::function<void(Task<void>, const char*)> launch;
    StopToken stop;
    // This peer has a history that the others gave up, and not the pinset that they began with: it
    // cannot go on. The pins are those that it has changed and nobody else knows of.
    std::function<void(const crdt::Epoch&, const std::vector<Cid>&)> left_behind;
    Executor disk;
  };
  explicit Compaction(Needs needs);

  // From here on this peer takes part.
  void serve();
  // A trusted peer has a history that is to be kept, and ours is another one.
  void on_newer_history(const crdt::Epoch& theirs);

  Task<Result<cluster::CompactPlan>> plan(std::vector<PeerId> without, StopToken stop) override;
  Task<Status> start(std::vector<PeerId> without) override;
  cluster::CompactStatus status() const override;

 private:
  // What one peer was told so far, by others or by itself.
  struct Session {
    PeerId leader;
    std::vector<PeerId> members;
    uint64_t began = 0;
    bool claimed = false;
    bool built = false;
    bool committed = false;
    bool cancelled = false;
    crdt::Epoch next;  // what was built
  };
  struct Member;

  static Task<void> serve_stream(Compaction* self, p2p::StreamPtr stream);
  static Task<CompactAnswer> obey(Compaction* self, Session* session, CompactCommand command);
  static Task<Status> do_step(Compaction* self, Session* session, CompactCommand command);
  static Task<void> leave(Compaction* self, Session* session);
  static Task<bool> others_committed(Compaction* self, const Session* session);

  static Task<Result<CompactAnswer>> tell(Compaction* self, Member* member, CompactCommand command,
                                          Duration limit);
  static Task<std::vector<Result<CompactAnswer>>> tell_all(Compaction* self,
                                                           std::vector<Member>* members,
                                                           CompactCommand command, Duration limit);
  static Task<Status> come_in_step(Compaction* self, std::vector<Member>* members);
  static Task<Result<Bytes>> build_everywhere(Compaction* self, std::vector<Member>* members);
  static Task<Status> lead(Compaction* self, std::vector<Member>* members, Session* own);
  static Task<void> run(Compaction* self, cluster::CompactPlan plan);
  static Task<cluster::CompactMember> look(Compaction* self, PeerId peer, StopToken stop);
  static Task<void> follow(Compaction* self, crdt::Epoch theirs);
  static Task<std::vector<Cid>> own_changes(Compaction* self, crdt::Epoch theirs);

  CompactAnswer standing() const;
  void show_step(std::string step);

  const Needs needs_;
  std::atomic<bool> following_{false};
  mutable std::mutex mutex_;
  cluster::CompactStatus status_;
};

}  // namespace ica::cmd
