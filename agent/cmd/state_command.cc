#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <iostream>

#include "agent/cmd/command.h"
#include "agent/cmd/json_documents.h"
#include "agent/cmd/lock.h"
#include "agent/cmd/peer_state.h"
#include "agent/config/service_json.h"
#include "common/base/log.h"
#include "common/base/offload.h"

namespace ica::cmd {
namespace {

constexpr std::string_view kComponent = "service";
constexpr size_t kPage = 1000;
constexpr size_t kImportGroup = 1000;

constexpr cli::FlagSpec kExportFlags[] = {
    {.names = "file, f", .kind = cli::FlagKind::String, .usage = "writes to an output file"},
};
constexpr cli::FlagSpec kImportFlags[] = {
    {.names = "force, f", .usage = "skips confirmation prompt"},
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
constexpr cli::FlagSpec kCleanupFlags[] = {
    {.names = "force, f", .usage = "skip confirmation prompt"},
};

constexpr std::string_view kExportDescription = R"(
   Writes the pinset as JSON, one pin a line, to a file or to standard output. It serves as
   a backup, and to move to another peer, also one of ipfs-cluster-service.
)";
constexpr std::string_view kImportDescription = R"(
   Replaces the pinset of this peer by an exported one, read from the given file or from
   standard input. When something in it is wrong, the old pinset stays.
)";
constexpr std::string_view kCleanupDescription = R"(
   Removes the pinset and everything else that this peer remembers of its cluster. The next
   start is like a first one.
)";

// The peer that a state command works on, locked against a running daemon.
struct Subject {
  FolderLock lock;
  config::Config config;
  std::filesystem::path folder;  // of the database
};

Result<Subject> open_subject(const Invocation& in) {
  TRY(auto lock, FolderLock::take(in.folder, in.program).context("obtaining execution lock"));
  TRY(auto loaded,
      config::load_config(in.folder, in.environment).context("loading configurations"));
  auto folder = loaded.config.resolve(loaded.config.agent.folder);
  return Subject{std::move(lock), std::move(loaded.config), std::move(folder)};
}

Status write_pins(const crdt::Replica& replica, const store::SnapshotPtr& snapshot,
                  std::ostream& out) {
  Cid after;
  for (;;) {
    TRY(const auto pins, replica.page(after, kPage, snapshot));
    if (pins.empty()) {
      break;
    }
    for (const auto& pin : pins) {
      out << api::to_json(pin) << '\n';
    }
    after = pins.back().cid;
  }
  out.flush();
  return out ? Status() : fail(Code::Io, "writing the state: {}", std::strerror(errno));
}

Status export_state(const Invocation& in) {
  TRY(const auto subject, open_subject(in));
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
  TRY(const auto store, store::Store::open(options));
  TRY(const auto replica, crdt::Replica::open(*store));
  const std::string& path = in.flags.text("file");
  if (path.empty()) {
    return write_pins(*replica, replica->snapshot(), std::cout);
  }
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  if (!file) {
    return fail(Code::Io, "creating output file: open {}: {}", path, std::strerror(errno));
  }
  return write_pins(*replica, replica->snapshot(), file);
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

Status put_all(std::istream& source, const Overrides& overrides, PeerState& state,
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
    group.push_back(std::move(pin));
    return group.size() < kImportGroup ? Status() : flush();
  }));
  TRY_VOID(group.empty() ? Status() : flush());
  return state.store->flush();
}

// Fills a database beside the present one and then takes its place, so that an error leaves the old
// one as it was.
Status import_from(std::istream& source, const Overrides& overrides, const Subject& subject,
                   const config::Identity& identity) {
  const std::filesystem::path fresh = subject.folder.string() + ".importing";
  std::error_code error;
  std::filesystem::remove_all(fresh, error);
  Status status;
  {
    const SystemClock clock;
    Runtime runtime;
    PeerState state;
    status = state.open(fresh, subject.config, identity.id, runtime, clock);
    if (status) {
      status = put_all(source, overrides, state, runtime);
    }
    runtime.stop();
  }
  if (!status) {
    std::filesystem::remove_all(fresh, error);
    return status;
  }
  std::filesystem::remove_all(subject.folder, error);
  if (!error) {
    std::filesystem::rename(fresh, subject.folder, error);
  }
  return error ? fail(Code::Io, "putting the new state into its place: {}", error.message())
               : Status();
}

Status import_state(const Invocation& in) {
  TRY(const auto overrides, read_overrides(in.flags));
  TRY(const auto subject, open_subject(in));
  if (!in.force && !in.flags.on("force") &&
      !confirm("The pinset (state) of this peer will be replaced. Continue? [y/n]:")) {
    return {};
  }
  std::string notice;
  TRY(const auto identity, config::load_identity(in.folder, in.environment, notice));
  fmt::print(stderr, "{}", notice);
  if (in.args.empty()) {
    fmt::print("reading from stdin, Ctrl-D to finish\n");
    TRY_VOID(import_from(std::cin, overrides, subject, identity));
  } else {
    std::ifstream file(in.args[0], std::ios::binary);
    if (!file) {
      return fail(Code::Io, "reading import file: open {}: {}", in.args[0], std::strerror(errno));
    }
    TRY_VOID(import_from(file, overrides, subject, identity));
  }
  log_info(kComponent, "state successfully imported.  Make sure all peers have consistent states");
  return {};
}

Status clean_state(const Invocation& in) {
  TRY(const auto subject, open_subject(in));
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

template <Status (*Command)(const Invocation&)>
int run(const Invocation& in, std::string_view doing) {
  const Status status = Command(in);
  return status ? kOk : report(doing, status.error());
}

constexpr Command kCommands[] = {
    {.name = "state export",
     .usage = "save the state to a JSON file",
     .description = kExportDescription,
     .args_usage = {},
     .flags = kExportFlags,
     .run = [](const Invocation& in) { return run<export_state>(in, "exporting state"); }},
    {.name = "state import",
     .usage = "load the state from a file produced by 'export'",
     .description = kImportDescription,
     .args_usage = "[file]",
     .flags = kImportFlags,
     .run = [](const Invocation& in) { return run<import_state>(in, "importing state"); }},
    {.name = "state cleanup",
     .usage = "remove persistent data",
     .description = kCleanupDescription,
     .args_usage = {},
     .flags = kCleanupFlags,
     .run = [](const Invocation& in) { return run<clean_state>(in, "cleaning state"); }},
};

}  // namespace

std::span<const Command> state_commands() {
  return kCommands;
}

}  // namespace ica::cmd
