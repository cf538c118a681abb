#include "agent/cmd/compaction.h"

#include <algorithm>

#include "agent/cmd/compaction_member.h"
#include "common/base/async.h"
#include "common/base/log.h"
#include "common/crypto/hash.h"

namespace ica::cmd {
namespace {

constexpr std::string_view kComponent = "crdt";
// A leader that says nothing for so long is gone: while all come in step it asks again and again,
// while they build it waits for the slowest.
constexpr Duration kLease = std::chrono::seconds(15);
constexpr Duration kBuiltLease = kCompactBuildLimit + kLease;
// A leader that is gone may have told others to commit.
constexpr Duration kDoubt = std::chrono::seconds(20);
constexpr Duration kDoubtPoll = std::chrono::milliseconds(500);

}  // namespace

Compaction::Compaction(Needs needs) : needs_(std::move(needs)) {}

void Compaction::serve() {
  needs_.network.handle(std::string(kProtocol), [this](p2p::StreamPtr stream) {
    return serve_stream(this, std::move(stream));
  });
}

CompactAnswer Compaction::standing() const {
  CompactAnswer answer;
  answer.info = needs_.replica.info();
  answer.epoch = needs_.replica.epoch();
  Bytes heads;
  for (const Bytes& head : needs_.replica.heads()) {
    heads += head;
  }
  answer.heads = sha256(heads);
  return answer;
}

Task<Status> Compaction::do_step(Compaction* self, Session* session, CompactCommand command) {
  HistorySwitch& history = self->needs_.history;
  if (command.step == CompactStep::Freeze && !session->claimed) {
    const uint64_t present = self->needs_.replica.epoch().number;
    if (command.number != present + 1) {
      co_return fail(Code::Conflict, "it has history {}, and number {} is to begin", present,
                     command.number);
    }
    if (!history.claim()) {
      co_return fail(Code::Conflict, "a compaction runs there already");
    }
    session->claimed = true;
    session->next.number = command.number;
    session->next.began = command.began;
    session->members = std::move(command.members);
    co_await HistorySwitch::freeze(&history);
  } else if (command.step == CompactStep::Build && session->claimed && !session->built) {
    auto built = co_await HistorySwitch::build(&history, session->next);
    if (!built) {
      co_return fail(built.error());
    }
    session->next = *std::move(built);
    session->built = true;
  } else if (command.step == CompactStep::Commit && session->built && !session->committed) {
    if (command.base != session->next.base) {
      co_return fail(Code::Conflict, "it has built another history");
    }
    Status done = co_await HistorySwitch::commit(&history);
    if (!done) {
      co_return done;
    }
    session->committed = true;
    co_await HistorySwitch::release(&history);
    log_info(kComponent, "the history of the pinset begins anew, as number {} with {} changes",
             session->next.number, self->needs_.replica.info().blocks);
  } else if (command.step == CompactStep::Known) {
    co_return Status();
  } else if (command.step == CompactStep::Cancel) {
    session->cancelled = true;
  } else if (command.step != CompactStep::Look) {
    co_return fail(Code::Conflict, "a compaction's steps come in another order");
  }
  co_return Status();
}

Task<CompactAnswer> Compaction::obey(Compaction* self, Session* session, CompactCommand command) {
  const CompactStep step = command.step;
  const std::vector<Bytes> digests = command.digests;
  const Status done = co_await do_step(self, session, std::move(command));
  CompactAnswer answer = self->standing();
  for (const Bytes& digest : digests) {
    const auto merged = self->needs_.replica.merged(digest);
    answer.known.push_back(merged && *merged ? '\1' : '\0');
  }
  if (!done) {
    answer.error = done.error().message();
  } else if (step == CompactStep::Build) {
    answer.epoch = session->next;
  }
  co_return answer;
}

// Whether somebody who was told by the same leader has put the new history into its place.
Task<bool> Compaction::others_committed(Compaction* self, const Session* session) {
  const SteadyTime limit = self->needs_.clock.steady() + kDoubt;
  while (!self->needs_.stop.stop_requested() && self->needs_.clock.steady() < limit) {
    for (const PeerId& member : session->members) {
      if (member == self->needs_.network.self() || !self->needs_.trust->trusts(member)) {
        continue;
      }
      const auto answer =
          co_await PinsetProtocol::ask(&self->needs_.pinsets, member, self->needs_.stop);
      if (answer && answer->epoch.same_history(session->next)) {
        co_return true;
      }
    }
    const Status slept = co_await sleep_for(kDoubtPoll, self->needs_.stop);
    (void)slept;
  }
  co_return false;
}

// The end of a session that somebody else led.
Task<void> Compaction::leave(Compaction* self, Session* session) {
  if (session->built && !session->committed && !session->cancelled) {
    log_warn(kComponent, "{} led a compaction and is gone: asking the others how it ended",
             session->leader);
    const bool committed = co_await others_committed(self, session);
    if (committed) {
      CompactCommand command;
      command.step = CompactStep::Commit;
      command.base = session->next.base;
      const Status done = co_await do_step(self, session, std::move(command));
      if (!done) {
        log_error(kComponent, "putting the new history into its place: {}", done.error().message());
      }
    }
  }
  if (!session->committed) {
    log_warn(kComponent, "the compaction that {} led is called off, nothing has changed",
             session->leader);
  }
  co_await HistorySwitch::end(&self->needs_.history);
}

Task<void> Compaction::serve_stream(Compaction* self, p2p::StreamPtr stream) {
  Session session;
  session.leader = stream->peer();
  p2p::FrameReader reader(stream, CompactCommand::kMaxBytes);
  bool more = true;
  while (more) {
    stream->set_deadline(deadline_after(session.built ? kBuiltLease : kLease));
    const auto frame = co_await reader.next();
    if (!frame || !*frame) {
      break;
    }
    const auto command = decode_compact_command(**frame);
    CompactAnswer answer;
    if (!command) {
      answer.error = command.error().message();
    } else if (!self->needs_.trust->trusts(session.leader)) {
      answer.error = fmt::format("it does not trust {}", session.leader);
    } else {
      CompactCommand copy = *command;
      answer = co_await obey(self, &session, std::move(copy));
      co_await resume_on(stream->executor());
    }
    stream->set_deadline(deadline_after(kCompactAnswerLimit));
    Bytes out = p2p::frame(encode_compact_answer(answer));
    const Status sent = co_await stream->write(std::move(out));
    more = sent.has_value() && command.has_value() && !session.cancelled;
  }
  if (session.claimed) {
    co_await leave(self, &session);
    co_await resume_on(stream->executor());
  }
  const Status closed = co_await stream->close_write();
  (void)closed;  // it may be gone
}

void Compaction::show_step(std::string step) {
  log_info(kComponent, "compaction: {}", step);
  const std::lock_guard lock(mutex_);
  status_.step = std::move(step);
}

cluster::CompactStatus Compaction::status() const {
  const uint64_t number = needs_.replica.epoch().number;
  const std::lock_guard lock(mutex_);
  cluster::CompactStatus out = status_;
  out.epoch = number;
  return out;
}

}  // namespace ica::cmd
