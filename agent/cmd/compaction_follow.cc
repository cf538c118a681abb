// A peer that was not there.
#include <algorithm>
#include <set>

#include "agent/cmd/compaction_member.h"
#include "agent/crdt/delta.h"
#include "agent/crdt/records.h"
#include "common/base/async.h"
#include "common/base/log.h"

namespace ica::cmd {
namespace {

constexpr std::string_view kComponent = "crdt";
// The end of a compaction here may be on its way.
constexpr Duration kFollowDelay = std::chrono::seconds(2);

}  // namespace

void Compaction::on_newer_history(const crdt::Epoch& theirs) {
  // While one takes part, its end decides.
  if (!needs_.history.claimed() && !following_.exchange(true)) {
    needs_.launch(follow(this, theirs), "following a compaction");
  }
}

namespace {

// Goes through the nodes of this peer from the heads down, as far as another peer does not know
// them. Thread-safety: none.
class OwnNodes {
 public:
  explicit OwnNodes(const crdt::Replica& replica) : replica_(replica) {
    for (const Bytes& head : replica.heads()) {
      add(head);
    }
  }
  bool more() const { return !waiting_.empty(); }
  // What is to be asked for next.
  std::vector<Bytes> ask() {
    const size_t count = std::min(waiting_.size(), CompactCommand::kMaxDigests);
    std::vector<Bytes> out(waiting_.begin(), waiting_.begin() + static_cast<ptrdiff_t>(count));
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<ptrdiff_t>(count));
    return out;
  }
  // False when the walk comes to no node that the other knows: it never had this history.
  bool answer(const std::vector<Bytes>& asked, BytesView known) {
    for (size_t i = 0; i < asked.size(); ++i) {
      if (i < known.size() && known[i] != '\0') {
        continue;
      }
      const auto block = replica_.block(asked[i]);
      const auto node = block && *block ? crdt::decode_node(**block)
                                        : Result<crdt::Node>(fail(Code::NotFound, "no node"));
      const auto delta = node ? crdt::decode_delta(node->delta)
                              : Result<crdt::Delta>(fail(Code::NotFound, "no node"));
      if (!delta || node->links.empty() || seen_.size() > kMaxNodes) {
        return false;
      }
      for (const auto& element : delta->elements) {
        const Cid cid = crdt::cid_of_key(crdt::pack_key(element.key));
        if (cid.defined()) {
          cids_.insert(cid);
        }
      }
      for (const Bytes& link : node->links) {
        add(link);
      }
    }
    return true;
  }
  std::vector<Cid> changed() const { return {cids_.begin(), cids_.end()}; }

 private:
  static constexpr size_t kMaxNodes = 100'000;
  void add(const Bytes& digest) {
    if (seen_.insert(digest).second) {
      waiting_.push_back(digest);
    }
  }
  const crdt::Replica& replica_;
  std::vector<Bytes> waiting_;
  std::set<Bytes> seen_;
  std::set<Cid> cids_;
};

}  // namespace

// The pins that only this peer has written, as far as somebody can be asked who knows the history
// before the present one: whoever took part in the compaction does.
Task<std::vector<Cid>> Compaction::own_changes(Compaction* self, crdt::Epoch theirs) {
  const p2p::Network& network = self->needs_.network;
  const Executor home = co_await asio::this_coro::executor;
  if (theirs.number != self->needs_.replica.epoch().number + 1) {
    co_return std::vector<Cid>();  // what was before is forgotten
  }
  for (const PeerId& peer : network.connected_peers()) {
    if (!network.speaks(peer, kProtocol) || !self->needs_.trust->trusts(peer)) {
      continue;
    }
    Member member;
    member.peer = peer;
    member.stop = self->needs_.stop;
    OwnNodes nodes(self->needs_.replica);
    bool good = true;
    while (good && nodes.more()) {
      CompactCommand command;
      command.step = CompactStep::Known;
      command.digests = nodes.ask();
      const std::vector<Bytes> asked = command.digests;
      const auto told = co_await tell(self, &member, std::move(command), kCompactAnswerLimit);
      good = told && told->epoch.same_history(theirs);
      if (good) {
        co_await resume_on(self->needs_.disk);
        good = nodes.answer(asked, told->known);
        co_await resume_on(home);
      }
    }
    if (member.stream) {
      p2p::reset_on_stream(member.stream);
    }
    if (good) {
      co_return nodes.changed();
    }
  }
  co_return std::vector<Cid>();
}

// This peer missed a compaction. With the very pinset that the others began with, it builds the
// same history and has lost nothing.
Task<void> Compaction::follow(Compaction* self, crdt::Epoch theirs) {
  HistorySwitch& history = self->needs_.history;
  const crdt::Replica& replica = self->needs_.replica;
  const Status slept = co_await sleep_for(kFollowDelay, self->needs_.stop);
  if (!slept || !history.claim()) {
    self->following_.store(false);
    co_return;
  }
  co_await HistorySwitch::freeze(&history);
  const crdt::PinsetInfo info = replica.info();
  const bool behind = theirs.newer_than(replica.epoch());
  bool another = behind && info.digest != theirs.digest;
  // A head that nobody serves is given up in the end; then the next announcement leads here again.
  const bool ready = behind && !another && info.work == 0;
  Status done;
  if (ready) {
    const auto built = co_await HistorySwitch::build(&history, theirs);
    another = built && built->base != theirs.base;
    if (!built) {
      done = fail(built.error());
    } else if (!another) {
      done = co_await HistorySwitch::commit(&history);
    }
  }
  std::vector<Cid> own;
  if (another) {
    own = co_await own_changes(self, theirs);
  }
  co_await HistorySwitch::end(&history);
  if (!done) {
    log_error(kComponent, "following the others to history {}: {}", theirs.number,
              done.error().message());
  } else if (another) {
    self->needs_.left_behind(theirs, own);
  } else if (ready) {
    log_info(kComponent, "the others began the history anew meanwhile: this peer has number {} too",
             theirs.number);
  }
  self->following_.store(false);
}

}  // namespace ica::cmd
