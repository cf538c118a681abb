#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/asio.h"
#include "common/cli/flags.h"

namespace ica::ctl {

using cli::flag_names;
using cli::FlagKind;
using cli::FlagSpec;
using cli::FlagValues;
using cli::ParsedFlags;

inline constexpr std::string_view kProgram = "ipfs-cluster-ctl";
inline constexpr std::string_view kDefaultHost = "/ip4/127.0.0.1/tcp/9094";

class Session;

// One run of a command: the values of its flags and its positional arguments.
struct Invocation {
  FlagValues flags;
  std::vector<std::string> args;
  // The argument at `index`, empty when there is none.
  std::string_view arg(size_t index) const {
    return index < args.size() ? std::string_view(args[index]) : std::string_view();
  }
};

// Runs a command and gives the exit code. Both arguments outlive the task.
using Handler = Task<int> (*)(Session& session, const Invocation& line);

struct CommandSpec {
  std::string_view name;
  std::string_view usage;
  std::string_view description = {};
  std::string_view args_usage = {};
  std::span<const FlagSpec> flags = {};
  std::span<const CommandSpec> subcommands = {};
  Handler handler = nullptr;  // none for a group of subcommands
  bool hidden = false;        // not in help, as the reference's `commands`
  bool extra = false;         // ours: not in `commands`, and in help for people only
  bool offline = false;       // needs no API; runs before the hosts are looked at
};

// The one table that parsing, help, completion and the manual page are made from.
std::span<const CommandSpec> command_table();
std::span<const FlagSpec> global_flags();
std::string_view program_description();

// --help, which every command takes; --version, which only the program takes.
const FlagSpec& help_flag();
const FlagSpec& version_flag();

const CommandSpec* find_command(std::span<const CommandSpec> commands, std::string_view name);

// The handlers, by file.
Task<int> run_id(Session& session, const Invocation& line);  // peers.cc
Task<int> run_peers_ls(Session& session, const Invocation& line);
Task<int> run_peers_rm(Session& session, const Invocation& line);
Task<int> run_peers_drain(Session& session, const Invocation& line);  // orchestration.cc
Task<int> run_peers_cordon(Session& session, const Invocation& line);
Task<int> run_peers_uncordon(Session& session, const Invocation& line);
Task<int> run_repin_status(Session& session, const Invocation& line);
Task<int> run_rebalance(Session& session, const Invocation& line);
Task<int> run_repin_plan(Session& session, const Invocation& line);
Task<int> run_state_compact(Session& session, const Invocation& line);  // compact.cc
Task<int> run_version(Session& session, const Invocation& line);
Task<int> run_add(Session& session, const Invocation& line);      // add.cc
Task<int> run_pin_add(Session& session, const Invocation& line);  // pin.cc
Task<int> run_pin_rm(Session& session, const Invocation& line);
Task<int> run_pin_update(Session& session, const Invocation& line);
Task<int> run_pin_ls(Session& session, const Invocation& line);
Task<int> run_status(Session& session, const Invocation& line);  // status.cc
Task<int> run_recover(Session& session, const Invocation& line);
Task<int> run_health_graph(Session& session, const Invocation& line);  // health.cc
Task<int> run_health_metrics(Session& session, const Invocation& line);
Task<int> run_health_alerts(Session& session, const Invocation& line);
Task<int> run_health_bandwidth(Session& session, const Invocation& line);
Task<int> run_health_digest(Session& session, const Invocation& line);
Task<int> run_ipfs_gc(Session& session, const Invocation& line);
Task<int> run_health(Session& session, const Invocation& line);      // health_summary.cc
Task<int> run_commands(Session& session, const Invocation& line);    // help.cc
Task<int> run_completion(Session& session, const Invocation& line);  // completion.cc
Task<int> run_manual(Session& session, const Invocation& line);      // manual.cc

}  // namespace ica::ctl
