#include <algorithm>
#include <cerrno>
#include <fmt/format.h>
#include <fstream>
#include <iostream>
#include <optional>

#include "agent/cmd/command.h"
#include "agent/cmd/json_documents.h"
#include "agent/cmd/lock.h"
#include "agent/cmd/peer_state.h"
#include "agent/cmd/recover.h"
#include "agent/config/service_json.h"
#include "agent/crdt/compact.h"
#include "agent/crdt/state_file.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/offload.h"
#include "common/base/system_words.h"

namespace ica::cmd {
namespace {

constexpr std::string_view kComponent = "service";
constexpr size_t kImportGroup = 1000;

constexpr cli::FlagSpec kExportFlags[] = {
    {.names = "file, f", .kind = cli::FlagKind::String, .usage = "writes to an output file"},
};
constexpr cli::FlagSpec kImportFlags[] = {
    {.names = "force, f", .usage = "skips confirmation prompt"},
    {.names = "merge", .usage = "Keeps the present pinset and only adds pins that are not in it"},
    {.names = "replication-min, rmin",
     .kind = cli::FlagKind::Int,
     .usage = "Overwrite replication-factor-min for all pins on import",
     .default_value = "0"},
    {.names = "replication-max, rmax",
     .kind = cli::FlagKind::Int,
     .usage = "Overwrite replication-factor-max for all pins on import",
     .default_value = "0"},
    {.names = "allocations, allocs",
     .kind = cli::FlagKind::String,
     .usage = "Overwrite allocations for all pins on import. Comma-separated list of peer IDs"},
};
constexpr cli::FlagSpec kCompactFlags[] = {
    {.names = "force, f", .usage = "skip confirmation prompt"},
    {.names = "plan", .usage = "only show what would be done"},
    {.names = "digest",
     .kind = cli::FlagKind::String,
     .usage = "do nothing unless the pinset has this digest"},
};
constexpr cli::FlagSpec kCleanupFlags[] = {
    {.names = "force, f", .usage = "skip confirmation prompt"},
};

constexpr std::string_view kExportDescription = R"(
   Writes the pinset as JSON, one pin a line, to a file or to standard output. It serves as
   a backup, and to move to another peer, also one of ipfs-cluster-service. The peer may be
   running: what is written is its pinset of one moment.
)";
constexpr std::string_view kImportDescription = R"(
   Replaces the pinset of this peer by an exported one, read from the given file or from
   standard input. When something in it is wrong, the old pinset stays. With --merge the
   old pinset stays in any case, and only what is not in it is added.
)";
constexpr std::string_view kCleanupDescription = R"(
   Removes the pinset and everything else that this peer remembers of its cluster. The next
   start is like a first one.
)";
constexpr std::string_view kCompactDescription = R"(
   Replaces the history of the pinset by the shortest one that gives the same pinset. This
   is for stopped peers; peers that run are compacted all at once with

     ipfs-cluster-ctl state compact

   Stop all peers of the cluster, run this on each, and start them again: a peer that keeps
   the old history brings it back, with pins that were removed since. Peers that show the
   same digest get the same history, so nothing is transferred. Peers of the Go kind cannot
   do this: clean their state instead (ipfs-cluster-service state cleanup).
)";
constexpr std::string_view kCheckpointDescription = R"(
   Makes a copy of the whole database in a new folder, of one moment, which a peer can be
   started on: as the folder "store" of its configuration. The peer may be running. While it
   is stopped, the copy shares the files with the original (hard links) and costs nothing.
)";

// The peer that a state command works on.
struct Subject {
  std::optional<FolderLock> lock;  // none: the peer is running
  config::Config config;
  std::filesystem::path folder;  // of the database
};

Result<Subject> load_subject(const Invocation& in, std::optional<FolderLock> lock) {
  TRY(auto loaded,
      config::load_config(in.folder, in.environment).context("loading configurations"));
  auto folder = loaded.config.resolve(loaded.config.agent.folder);
  return Subject{std::move(lock), std::move(loaded.config), std::move(folder)};
}

// Locked against a running daemon.
Result<Subject> open_subject(const Invocation& in) {
  TRY(auto lock, FolderLock::take(in.folder, in.program).context("obtaining execution lock"));
  return load_subject(in, std::move(lock));
}

// For reading only, so also beside a running daemon.
Result<Subject> view_subject(const Invocation& in) {
  auto lock = FolderLock::take(in.folder, in.program);
  if (!lock && lock.error().code() != Code::Busy) {
    return fail(std::move(lock).error().with_context("obtaining execution lock"));
  }
  return load_subject(in, lock ? std::optional(*std::move(lock)) : std::nullopt);
}

Result<std::unique_ptr<store::Store>> open_view(const Subject& subject, bool read_only) {
  std::error_code ignored;
  if (!std::filesystem::exists(subject.folder, ignored)) {
    return fail(Code::NotFound,
                "there is no state in {}. A state that ipfs-cluster-service made is exported with "
                "that program",
                subject.folder.string());
  }
  store::Options options;
  options.path = subject.folder;
  options.memory_budget = subject.config.agent.memory_budget;
  options.read_only = read_only;
  return store::Store::open(options);
}

// What ipfs-cluster-service calls the folders of its databases.
constexpr std::string_view kForeignStores[] = {"badger", "badger3", "leveldb", "pebble", "raft"};

// Neither this program nor the other one has run in the folder yet.
bool never_started(const Invocation& in, const Subject& subject) {
  std::error_code ignored;
  return !std::filesystem::exists(subject.folder, ignored) &&
         std::none_of(std::begin(kForeignStores), std::end(kForeignStores),
                      [&](std::string_view name) {
                        return std::filesystem::exists(in.folder / name, ignored);
                      });
}

Status write_state(const Invocation& in, const Subject& subject, std::ostream& out) {
  if (never_started(in, subject)) {
    return {};
  }
  // Also without a daemon, so that a folder which a start refuses is exported as far as it goes.
  TRY(const auto store, open_view(subject, true));
  TRY_VOID(crdt::export_state(*store, out));
  return {};
}

Status export_state(const Invocation& in, const Subject& subject) {
  const std::string& path = in.flags.text("file");
  if (path.empty()) {
    return write_state(in, subject, std::cout);
  }
  // Under another name until it is complete, so that a backup that was there stays until then.
  const std::string part = path + ".part";
  {
    std::ofstream file(part, std::ios::binary | std::ios::trunc);
    if (!file) {
      return fail(Code::Io, "creating output file: open {}: {}", path, system_words(errno));
    }
    TRY_VOID(write_state(in, subject, file));
  }
  if (std::rename(part.c_str(), path.c_str()) != 0) {
    return fail(Code::Io, "creating output file: rename {}: {}", path, system_words(errno));
  }
  return {};
}

Status make_checkpoint(const Invocation& in, const Subject& subject) {
  if (in.args.size() != 1) {
    return fail(Code::InvalidArgument, "the command takes one argument, the folder to be made");
  }
  TRY(const auto store, open_view(subject, !subject.lock.has_value()));
  const std::filesystem::path target = std::filesystem::absolute(in.args[0]);
  std::error_code error;
  if (std::filesystem::exists(target, error)) {
    return fail(Code::Conflict, "{} is there already", target.string());
  }
  std::filesystem::create_directories(target.parent_path(), error);
  const Status made =
      subject.lock ? store->checkpoint(target)
                   : store::copy_to(*store, {.path = target,
                                             .memory_budget = subject.config.agent.memory_budget});
  TRY_VOID(made);
  fmt::print("{}\n", target.string());
  return {};
}

// A peer that runs is no mistake here: there is another command for it.
Result<Subject> open_stopped(const Invocation& in) {
  auto subject = open_subject(in);
  if (!subject && subject.error().code() == Code::Busy) {
    return fail(Code::Busy,
                "{} Peers that run are compacted, all of them together, with: ipfs-cluster-ctl "
                "state compact",
                subject.error().message());
  }
  return subject;
}

Status compact_state(const Invocation& in, const Subject& subject) {
  const std::filesystem::path fresh = subject.folder.string() + ".compacting";
  std::error_code error;
  std::filesystem::remove_all(fresh, error);
  {
    TRY(const auto store, open_view(subject, false));
    TRY(const auto replica, crdt::Replica::open(*store));
    const auto info = replica->info();
    const std::string digest = fmt::format("{:016x}", info.digest);
    fmt::print(
        "pinset:  {} pins, digest {}\n"
        "history: {} changes, {} bytes on disk\n",
        info.pins, digest, info.blocks, store->stats().disk_bytes);
    const std::string& expected = in.flags.text("digest");
    if (!expected.empty() && expected != digest) {
      return fail(Code::Conflict, "the digest of the pinset is {}, not {}", digest, expected);
    }
    if (in.flags.on("plan")) {
      return {};
    }
    if (!in.force && !in.flags.on("force") &&
        !confirm("All peers of the cluster are stopped and will be compacted too. Continue? "
                 "[y/n]:")) {
      return {};
    }
    TRY(const auto target,
        store::Store::open({.path = fresh, .memory_budget = subject.config.agent.memory_budget}));
    TRY_VOID(crdt::copy_with_short_history(*store, *target));
    TRY(const auto after, crdt::Replica::open(*target));
    fmt::print("now:     {} changes, {} bytes on disk\n", after->info().blocks,
               target->stats().disk_bytes);
  }
  return swap_in(fresh, subject.folder);
}

struct Overrides {
  int replication_min = 0;  // 0: as in the file
  int replication_max = 0;
  std::vector<PeerId> allocations;
};

Result<Overrides> read_overrides(const cli::FlagValues& flags) {
  Overrides overrides;
  overrides.replication_min = static_cast<int>(flags.number("replication-min"));
  overrides.replication_max = static_cast<int>(flags.number("replication-max"));
  std::string rest = flags.text("allocations");
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(','), rest.size());
    TRY(auto peer, PeerId::parse(rest.substr(0, comma)).context("reading --allocations"));
    overrides.allocations.push_back(std::move(peer));
    rest.erase(0, std::min(comma + 1, rest.size()));
  }
  return overrides;
}

void apply(const Overrides& overrides, api::Pin& pin) {
  if (overrides.replication_max > 0) {
    pin.options.replication_factor_max = overrides.replication_max;
  }
  if (overrides.replication_min > 0) {
    pin.options.replication_factor_min = overrides.replication_min;
  }
  if (!overrides.allocations.empty()) {
    pin.allocations = {.items = overrides.allocations, .present = true};
  }
}

Task<Status> put_group(crdt::Pinset& pinset, std::vector<api::Pin> pins) {
  std::vector<Task<Status>> puts;
  puts.reserve(pins.size());
  for (auto& pin : pins) {
    puts.push_back(pinset.put(std::move(pin)));
  }
  const auto outcomes = co_await gather(std::move(puts));
  for (const auto& outcome : outcomes) {
    CO_TRY_VOID(outcome);
  }
  co_return Status();
}

Task<void> into(Task<Status> task, Status* out) {
  *out = co_await std::move(task);
}

Status put_all(std::istream& source, const Overrides& overrides, bool only_new, PeerState& state,
               Runtime& runtime) {
  std::vector<api::Pin> group;
  const auto flush = [&]() -> Status {
    Status outcome;
    if (!wait_for(runtime.net().get_executor(),
                  into(put_group(*state.pinset, std::move(group)), &outcome),
                  std::chrono::hours(1))) {
      return fail(Code::Timeout, "the database does not answer");
    }
    group.clear();
    return outcome;
  };
  TRY_VOID(each_json_object(source, [&](std::string text) -> Status {
    TRY(auto pin, api::pin_from_json(text));
    apply(overrides, pin);
    if (only_new) {
      TRY(const auto present, state.pinset->get(pin.cid));
      if (present) {
        return {};
      }
    }
    group.push_back(std::move(pin));
    return group.size() < kImportGroup ? Status() : flush();
  }));
  TRY_VOID(group.empty() ? Status() : flush());
  return state.store->flush();
}

// What is imported goes on with the history that the cluster has.
Result<crdt::Epoch> present_history(const Subject& subject) {
  std::error_code ignored;
  if (!std::filesystem::exists(subject.folder, ignored)) {
    return crdt::Epoch();
  }
  const auto store = open_view(subject, true);
  // One that cannot be read any more is what an import may be for.
  return store ? crdt::load_epoch(**store) : Result<crdt::Epoch>(crdt::Epoch());
}

// Fills a database beside the present one and then takes its place, so that an error leaves the old
// one as it was.
Status import_from(std::istream& source, const Overrides& overrides, const Subject& subject,
                   const config::Identity& identity) {
  const std::filesystem::path fresh = subject.folder.string() + ".importing";
  std::error_code error;
  std::filesystem::remove_all(fresh, error);
  TRY(const auto history, present_history(subject));
  Status status;
  {
    const SystemClock clock;
    Runtime runtime;
    PeerState state;
    status = state.open(fresh, subject.config, identity.id, runtime, clock);
    if (status && history.number > 0) {
      status = state.replica->set_epoch(history);
    }
    if (status) {
      status = put_all(source, overrides, /*only_new=*/false, state, runtime);
    }
    runtime.stop();
  }
  if (!status) {
    std::filesystem::remove_all(fresh, error);
    return status;
  }
  return swap_in(fresh, subject.folder);
}

// Adds to the database as it is.
Status merge_from(std::istream& source, const Overrides& overrides, const Subject& subject,
                  const config::Identity& identity) {
  const SystemClock clock;
  Runtime runtime;
  PeerState state;
  Status status = state.open(subject.folder, subject.config, identity.id, runtime, clock);
  if (status) {
    status = put_all(source, overrides, /*only_new=*/true, state, runtime);
  }
  runtime.stop();
  return status;
}

Status import_state(const Invocation& in, const Subject& subject) {
  TRY(const auto overrides, read_overrides(in.flags));
  const bool merge = in.flags.on("merge");
  if (!merge && !in.force && !in.flags.on("force") &&
      !confirm("The pinset (state) of this peer will be replaced. Continue? [y/n]:")) {
    return {};
  }
  std::string notice;
  TRY(const auto identity, config::load_identity(in.folder, in.environment, notice));
  fmt::print(stderr, "{}", notice);
  const auto take = merge ? &merge_from : &import_from;
  if (in.args.empty()) {
    fmt::print("reading from stdin, Ctrl-D to finish\n");
    TRY_VOID(take(std::cin, overrides, subject, identity));
  } else {
    std::ifstream file(in.args[0], std::ios::binary);
    if (!file) {
      return fail(Code::Io, "reading import file: open {}: {}", in.args[0], system_words(errno));
    }
    TRY_VOID(take(file, overrides, subject, identity));
  }
  log_info(kComponent, "state successfully imported.  Make sure all peers have consistent states");
  return {};
}

Status clean_state(const Invocation& in, const Subject& subject) {
  if (!in.force && !in.flags.on("force") &&
      !confirm("The peer state will be removed.  Existing pins may be lost. Continue? [y/n]:")) {
    return {};
  }
  std::error_code error;
  std::filesystem::remove_all(subject.folder, error);
  if (error) {
    return fail(Code::Io, "removing {}: {}", subject.folder.string(), error.message());
  }
  log_info(kComponent, "data correctly cleaned up");
  return {};
}

using Open = Result<Subject> (*)(const Invocation&);
using Work = Status (*)(const Invocation&, const Subject&);

template <Open open, Work work>
int run(const Invocation& in, std::string_view doing) {
  const auto subject = open(in);
  if (!subject) {
    return report(subject.error());
  }
  const Status status = work(in, *subject);
  return status ? kOk : report(doing, status.error());
}

constexpr Command kCommands[] = {
    {.name = "state export",
     .usage = "save the state to a JSON file",
     .description = kExportDescription,
     .args_usage = {},
     .flags = kExportFlags,
     .run =
         [](const Invocation& in) {
           return run<view_subject, export_state>(in, "exporting state");
         }},
    {.name = "state import",
     .usage = "load the state from a file produced by 'export'",
     .description = kImportDescription,
     .args_usage = "[file]",
     .flags = kImportFlags,
     .run =
         [](const Invocation& in) {
           return run<open_subject, import_state>(in, "importing state");
         }},
    {.name = "state cleanup",
     .usage = "remove persistent data",
     .description = kCleanupDescription,
     .args_usage = {},
     .flags = kCleanupFlags,
     .run =
         [](const Invocation& in) { return run<open_subject, clean_state>(in, "cleaning state"); }},
    {.name = "state compact",
     .usage = "make the history of the pinset short, on all peers while they are stopped",
     .description = kCompactDescription,
     .args_usage = {},
     .flags = kCompactFlags,
     .run =
         [](const Invocation& in) {
           return run<open_stopped, compact_state>(in, "compacting the state");
         }},
    {.name = "state checkpoint",
     .usage = "copy the database of a running or stopped peer",
     .description = kCheckpointDescription,
     .args_usage = "<folder>",
     .flags = {},
     .run =
         [](const Invocation& in) {
           return run<view_subject, make_checkpoint>(in, "copying the state");
         }},
};

}  // namespace

std::span<const Command> state_commands() {
  return kCommands;
}

}  // namespace ica::cmd
