#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config/environment.h"
#include "common/cli/flags.h"

// The sub-commands of ipfs-cluster-agent. Their flags, texts and exit codes are those of
// ipfs-cluster-service where it has the command.
namespace ica::cmd {

inline constexpr int kOk = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;
inline constexpr int kNoTopic = 3;

struct Invocation {
  std::string program;           // the name we were called by
  std::filesystem::path folder;  // absolute
  bool force = false;
  bool debug = false;
  std::string log_levels;  // as given by the flag or the environment
  config::Environment environment;
  cli::FlagValues flags;  // of the command
  std::vector<std::string> args;

  // Called by the reference's name, as its scripts do: `init` then writes every section, and SIGHUP
  // ends the daemon.
  bool stands_in() const { return program == "ipfs-cluster-service"; }
};

struct Command {
  std::string_view name;  // "state export"
  std::string_view usage;
  std::string_view description;
  std::string_view args_usage;
  std::span<const cli::FlagSpec> flags;
  int (*run)(const Invocation&);
};

// One function a file; the table in program.cc holds them all.
std::span<const Command> init_commands();
std::span<const Command> daemon_commands();
std::span<const Command> identity_commands();
std::span<const Command> config_commands();
std::span<const Command> health_commands();
std::span<const Command> state_commands();

// "error <doing>: <why>" on standard error; returns kFailed. Without `doing` the error's message
// has it in front.
int report(const Error& error);
int report(std::string_view doing, const Error& error);

// Sets the log up as the flags and settings say. Errors: InvalidArgument.
Status setup_log(const Invocation& invocation, std::string_view format);

// A line of standard input without its end; empty also at the end of the input.
std::string read_line();

// Asks on standard output, up to three times; no answer means no.
bool confirm(std::string_view question);

}  // namespace ica::cmd
