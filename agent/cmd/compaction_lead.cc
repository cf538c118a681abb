// The side that leads: plan, and the steps of all members.
#include <algorithm>
#include <set>

#include "agent/cmd/compaction_member.h"
#include "common/base/async.h"
#include "common/base/log.h"
#include "common/base/offload.h"

namespace ica::cmd {
namespace {

constexpr std::string_view kComponent = "crdt";
constexpr Duration kOpenLimit = std::chrono::seconds(10);
constexpr Duration kInStepPoll = std::chrono::milliseconds(200);
constexpr Duration kCommitLimit = std::chrono::minutes(1);
constexpr uint64_t kPinsPerChange = 4096;

}  // namespace

Task<Result<CompactAnswer>> Compaction::tell(Compaction* self, Member* member,
                                             CompactCommand command, Duration limit) {
  Result<CompactAnswer> answer = fail(Code::Internal, "not asked");
  if (member->own != nullptr) {
    answer = co_await obey(self, member->own, std::move(command));
  } else {
    if (!member->stream) {
      std::vector<std::string> protocols(1, std::string(kProtocol));
      auto opened = co_await self->needs_.network.open_stream(member->peer, std::move(protocols),
                                                              kOpenLimit, member->stop);
      if (!opened) {
        co_return fail(opened.error());
      }
      member->stream = *opened;
      member->reader = std::make_shared<p2p::FrameReader>(member->stream, CompactAnswer::kMaxBytes);
    }
    co_await resume_on(member->stream->executor());
    member->stream->set_deadline(deadline_after(limit));
    Bytes out = p2p::frame(encode_compact_command(command));
    const Status sent = co_await member->stream->write(std::move(out));
    if (!sent) {
      co_return fail(sent.error());
    }
    const auto frame = co_await member->reader->next();
    if (!frame) {
      co_return fail(frame.error());
    }
    if (!*frame) {
      co_return fail(Code::Closed, "it ended the compaction");
    }
    answer = decode_compact_answer(**frame);
  }
  if (answer && !answer->error.empty()) {
    co_return fail(Code::Conflict, "{}", answer->error);
  }
  co_return answer;
}

Task<std::vector<Result<CompactAnswer>>> Compaction::tell_all(Compaction* self,
                                                              std::vector<Member>* members,
                                                              CompactCommand command,
                                                              Duration limit) {
  std::vector<Task<Result<CompactAnswer>>> tasks;
  tasks.reserve(members->size());
  for (Member& member : *members) {
    tasks.push_back(tell(self, &member, command, limit));
  }
  auto answers = co_await gather(std::move(tasks));
  for (size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i]) {
      answers[i] =
          fail(Error(answers[i].error()).with_context(fmt::format("peer {}", (*members)[i].peer)));
    }
  }
  co_return answers;
}

namespace {

// That of the first one that failed.
template <typename T>
Status all_done(const std::vector<Result<T>>& answers) {
  for (const auto& answer : answers) {
    TRY_VOID(answer);
  }
  return {};
}

bool in_step(const std::vector<Result<CompactAnswer>>& answers) {
  const CompactAnswer& first = *answers.front();
  return std::all_of(answers.begin(), answers.end(), [&](const auto& answer) {
    return answer->info.work == 0 && answer->info.digest == first.info.digest &&
           answer->heads == first.heads;
  });
}

}  // namespace

Task<Status> Compaction::come_in_step(Compaction* self, std::vector<Member>* members) {
  const SteadyTime limit = self->needs_.clock.steady() + kCompactInStepLimit;
  while (true) {
    const auto answers = co_await tell_all(self, members, CompactCommand(), kCompactAnswerLimit);
    const Status answered = all_done(answers);
    if (!answered || in_step(answers)) {
      co_return answered;
    }
    if (self->needs_.clock.steady() >= limit) {
      co_return fail(Code::Timeout, "the peers are not in step within {} s",
                     std::chrono::duration_cast<std::chrono::seconds>(kCompactInStepLimit).count());
    }
    const Status slept = co_await sleep_for(kInStepPoll, self->needs_.stop);
    if (!slept) {
      co_return slept;
    }
  }
}

// What all have built begins with.
Task<Result<Bytes>> Compaction::build_everywhere(Compaction* self, std::vector<Member>* members) {
  CompactCommand command;
  command.step = CompactStep::Build;
  const auto answers = co_await tell_all(self, members, command, kCompactBuildLimit);
  const Status built = all_done(answers);
  if (!built) {
    co_return fail(built.error());
  }
  const Bytes base = answers.front()->epoch.base;
  for (size_t i = 0; i < answers.size(); ++i) {
    if (answers[i]->epoch.base != base) {
      co_return fail(Code::Conflict, "peers {} and {} have not built the same history",
                     members->front().peer, (*members)[i].peer);
    }
  }
  co_return base;
}

// Until the commit every error calls all off. From then on some may have the new history, so that
// it goes on: who did not hear of it follows.
Task<Status> Compaction::lead(Compaction* self, std::vector<Member>* members, Session* own) {
  CompactCommand command;
  command.step = CompactStep::Freeze;
  command.number = self->needs_.replica.epoch().number + 1;
  command.began = static_cast<uint64_t>(self->needs_.clock.now().unix_nanos() / 1'000'000'000);
  for (const Member& member : *members) {
    command.members.push_back(member.peer);
  }
  self->show_step("holding changes back on all peers");
  const auto frozen = co_await tell_all(self, members, command, kCompactAnswerLimit);
  Status done = all_done(frozen);
  if (!done) {
    co_return done;
  }
  self->show_step("waiting until all peers have the same changes");
  done = co_await come_in_step(self, members);
  if (!done) {
    co_return done;
  }
  self->show_step("writing the short history on all peers");
  const auto base = co_await build_everywhere(self, members);
  if (!base) {
    co_return fail(base.error());
  }
  self->show_step("putting it into its place");
  command.step = CompactStep::Commit;
  command.members.clear();
  command.base = *base;
  const auto committed = co_await tell_all(self, members, command, kCommitLimit);
  done = all_done(committed);
  if (!done && own->committed) {
    co_return fail(Code::Unavailable, "{} (it follows by itself when it can)",
                   done.error().message());
  }
  co_return done;
}

Task<void> Compaction::run(Compaction* self, cluster::CompactPlan plan) {
  Session own;
  own.leader = self->needs_.network.self();
  std::vector<Member> members;
  for (const auto& member : plan.members) {
    members.push_back({.peer = member.peer,
                       .own = member.peer == own.leader ? &own : nullptr,
                       .stop = self->needs_.stop});
  }
  const SteadyTime begin = self->needs_.clock.steady();
  const Status done = co_await lead(self, &members, &own);
  if (!done && !own.committed) {
    CompactCommand cancel;
    cancel.step = CompactStep::Cancel;
    std::erase_if(members, [](const Member& member) { return !member.stream && !member.own; });
    const auto told = co_await tell_all(self, &members, cancel, kCompactAnswerLimit);
    (void)told;  // who does not hear it asks
  }
  if (own.claimed) {
    co_await HistorySwitch::release(&self->needs_.history);
  }
  {
    const std::lock_guard lock(self->mutex_);
    auto& status = self->status_;
    status.running = false;
    status.step.clear();
    status.ended = self->needs_.clock.now();
    status.paused = self->needs_.clock.steady() - begin;
    status.changes_after = self->needs_.replica.info().blocks;
    status.error = done ? "" : done.error().message();
  }
  if (!done) {
    log_warn(kComponent, "{}: {}",
             own.committed ? "not all peers have the new history yet"
                           : "the compaction is called off, nothing has changed",
             done.error().message());
  }
  for (const Member& member : members) {
    if (member.stream) {
      p2p::reset_on_stream(member.stream);
    }
  }
  if (own.claimed) {
    co_await HistorySwitch::end(&self->needs_.history);
  }
}

Task<cluster::CompactMember> Compaction::look(Compaction* self, PeerId peer, StopToken stop) {
  cluster::CompactMember out;
  out.peer = peer;
  const p2p::Network& network = self->needs_.network;
  CompactAnswer answer;
  if (peer == network.self()) {
    answer = self->standing();
  } else if (network.speaks(peer, kProtocol)) {
    Member member;
    member.peer = peer;
    member.stop = std::move(stop);
    const auto told = co_await tell(self, &member, CompactCommand(), kCompactAnswerLimit);
    if (member.stream) {
      p2p::reset_on_stream(member.stream);
    }
    if (told) {
      answer = *told;
    } else {
      out.problem = told.error().message();
    }
  } else {
    const auto connected = network.connected_peers();
    out.problem = std::find(connected.begin(), connected.end(), peer) == connected.end()
                      ? "it is not connected"
                      : "it is of another kind, or an older version, that cannot take part";
  }
  out.pins = answer.info.pins;
  out.changes = answer.info.blocks;
  out.digest = answer.info.digest;
  co_return out;
}

Task<Result<cluster::CompactPlan>> Compaction::plan(std::vector<PeerId> without, StopToken stop) {
  std::vector<PeerId> known = needs_.known_peers();
  std::set<PeerId> peers(known.begin(), known.end());
  peers.insert(needs_.network.self());
  for (const PeerId& peer : without) {
    if (peer == needs_.network.self()) {
      co_return fail(Code::InvalidArgument, "this peer itself cannot be left out");
    }
    peers.erase(peer);
  }
  std::vector<Task<cluster::CompactMember>> looks;
  for (const PeerId& peer : peers) {
    looks.push_back(look(this, peer, stop));
  }
  cluster::CompactPlan out;
  out.members = co_await gather(std::move(looks));
  const auto connected = needs_.network.connected_peers();
  for (const PeerId& peer : without) {
    // It would go on with the old history and bring it back at once.
    if (std::find(connected.begin(), connected.end(), peer) != connected.end()) {
      co_return fail(Code::Conflict, "peer {} is connected: only one that is gone can be left out",
                     peer);
    }
  }
  const crdt::PinsetInfo info = needs_.replica.info();
  out.epoch = needs_.replica.epoch().number + 1;
  out.pins = info.pins;
  out.changes = info.blocks;
  out.changes_after = (info.pins + kPinsPerChange - 1) / kPinsPerChange;
  out.disk_bytes = needs_.replica.store().stats().disk_bytes;
  out.without = std::move(without);
  co_return out;
}

Task<Status> Compaction::start(std::vector<PeerId> without) {
  auto made = co_await plan(std::move(without), needs_.stop);
  if (!made) {
    co_return fail(made.error());
  }
  for (const auto& member : made->members) {
    if (!member.problem.empty()) {
      co_return fail(Code::Conflict, "peer {} cannot take part: {}", member.peer, member.problem);
    }
  }
  {
    const std::lock_guard lock(mutex_);
    if (status_.running) {
      co_return fail(Code::Conflict, "a compaction runs already");
    }
    status_ = {};
    status_.running = true;
    status_.led = true;
    status_.step = "beginning";
    status_.changes_before = made->changes;
    status_.members = made->members.size();
  }
  needs_.launch(run(this, *std::move(made)), "compaction");
  co_return Status();
}

}  // namespace ica::cmd
