#include "agent/cmd/program.h"

#include <cstdio>
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include "agent/cmd/command.h"
#include "agent/cmd/help.h"
#include "common/api/peer.h"
#include "common/base/log.h"

namespace ica::cmd {
namespace {

constexpr cli::FlagSpec kGlobalFlags[] = {
    {.names = "config, c",
     .kind = cli::FlagKind::String,
     .usage = "path to the configuration and data FOLDER",
     .env = "IPFS_CLUSTER_PATH"},
    {.names = "force, f",
     .usage = "forcefully proceed with some actions. i.e. overwriting configuration"},
    {.names = "debug, d", .usage = "enable full debug logging (very verbose)"},
    {.names = "loglevel, l",
     .kind = cli::FlagKind::String,
     .usage = "set overall and component-wise log levels",
     .env = "IPFS_CLUSTER_LOG_LEVEL"},
    {.names = "help, h", .usage = "show help"},
    {.names = "version, v", .usage = "print the version"},
};

constexpr cli::FlagSpec kHelpFlag = {.names = "help, h", .usage = "show help"};

std::vector<Command> all_commands() {
  std::vector<Command> all;
  for (const auto part : {init_commands(), daemon_commands(), state_commands(), identity_commands(),
                          config_commands(), health_commands()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

std::string home_folder() {
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    return home;
  }
  const passwd* user = getpwuid(getuid());
  return user != nullptr ? user->pw_dir : "/";
}

std::filesystem::path config_folder(const std::string& given) {
  std::error_code ignored;
  const auto folder = given.empty() ? std::filesystem::path(home_folder()) / ".ipfs-cluster"
                                    : std::filesystem::path(given);
  return std::filesystem::absolute(folder, ignored).lexically_normal();
}

std::string base_name(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

// The command that the words begin with, and how many words its name takes. "state" alone names a
// group.
const Command* find_command(const std::vector<Command>& all, const std::vector<std::string>& words,
                            size_t& used) {
  for (const auto& command : all) {
    const size_t blank = command.name.find(' ');
    const auto first = command.name.substr(0, blank);
    if (words.empty() || words[0] != first) {
      continue;
    }
    if (blank == std::string_view::npos) {
      used = 1;
      return &command;
    }
    if (words.size() > 1 && words[1] == command.name.substr(blank + 1)) {
      used = 2;
      return &command;
    }
  }
  return nullptr;
}

bool is_group(const std::vector<Command>& all, const std::string& word) {
  for (const auto& command : all) {
    if (command.name.starts_with(word + " ")) {
      return true;
    }
  }
  return false;
}

bool asks_for_help(const std::string& word) {
  return word == "help" || word == "h" || word == "--help" || word == "-h";
}

// As ipfs-cluster-service says it.
int no_topic(const std::string& word) {
  fmt::print(stderr, "No help topic for '{}'\n", word);
  return kNoTopic;
}

int run_command(const Command& command, Invocation invocation,
                const std::vector<std::string>& args) {
  std::vector<cli::FlagSpec> flags(command.flags.begin(), command.flags.end());
  flags.push_back(kHelpFlag);
  auto parsed = cli::ParsedFlags::parse(flags, args, /*interspersed=*/true);
  if (!parsed.error.empty() || !parsed.two_forms_error.empty()) {
    fmt::print("Incorrect Usage: {}\n\n{}",
               parsed.error.empty() ? parsed.two_forms_error : parsed.error,
               command_help(invocation.program, command));
    return kUsage;
  }
  if (parsed.values.on("help")) {
    fmt::print("{}", command_help(invocation.program, command));
    return kOk;
  }
  invocation.flags = std::move(parsed.values);
  invocation.args = std::move(parsed.args);
  return command.run(invocation);
}

}  // namespace

int report(const Error& error) {
  log_flush();
  fmt::print(stderr, "error {}\n", error.message());
  return kFailed;
}

int report(std::string_view doing, const Error& error) {
  return report({error.code(), fmt::format("{}: {}", doing, error.message())});
}

Status setup_log(const Invocation& invocation, std::string_view format) {
  LogOptions options;
  options.format = format == "json" ? LogFormat::Json : LogFormat::Text;
  options.level = invocation.debug ? LogLevel::Debug : LogLevel::Info;
  TRY_VOID(log_setup(options));
  if (!invocation.debug && !invocation.log_levels.empty()) {
    return log_set_levels(invocation.log_levels);
  }
  return {};
}

std::string read_line() {
  std::string line;
  for (char c; line.size() < 4096 && read(STDIN_FILENO, &c, 1) == 1 && c != '\n';) {
    line += c;
  }
  return line;
}

bool confirm(std::string_view question) {
  for (int i = 0; i < 3; ++i) {
    fmt::print("{} ", question);
    std::fflush(stdout);
    const std::string answer = read_line();
    if (answer.empty() || answer == "n" || answer == "N") {
      return false;
    }
    if (answer == "y" || answer == "Y") {
      return true;
    }
    fmt::print("Please press either 'y' or 'n'\n");
  }
  return false;
}

int run_program(const std::vector<std::string>& args) {
  Invocation invocation;
  invocation.program = args.empty() ? "ipfs-cluster-agent" : base_name(args[0]);
  const std::vector<std::string> rest(args.empty() ? args.end() : args.begin() + 1, args.end());
  const auto commands = all_commands();
  const auto global = cli::ParsedFlags::parse(kGlobalFlags, rest, /*interspersed=*/false);
  const std::string help = program_help(invocation.program, commands, kGlobalFlags);
  if (!global.error.empty() || !global.two_forms_error.empty()) {
    fmt::print("Incorrect Usage. {}\n\n{}",
               global.error.empty() ? global.two_forms_error : global.error, help);
    return kUsage;
  }
  const auto& flags = global.values;
  if (flags.on("version")) {
    fmt::print("{} version {}\n", invocation.program, api::kReferenceVersion);
    return kOk;
  }
  invocation.folder = config_folder(flags.text("config"));
  invocation.force = flags.on("force");
  invocation.debug = flags.on("debug");
  invocation.log_levels = flags.text("loglevel");
  invocation.environment = config::process_environment();
  if (const Status status = setup_log(invocation, "text"); !status) {
    return report("setting the log levels", status.error());
  }

  const auto& words = global.args;
  if (flags.on("help") || (!words.empty() && (words[0] == "help" || words[0] == "h"))) {
    size_t used = 0;
    const std::vector<std::string> topic(words.empty() ? words.end() : words.begin() + 1,
                                         words.end());
    const Command* command = find_command(commands, topic, used);
    if (command != nullptr) {
      fmt::print("{}", command_help(invocation.program, *command));
    } else if (!topic.empty() && is_group(commands, topic[0])) {
      fmt::print("{}", group_help(invocation.program, topic[0], commands));
    } else if (topic.empty() || flags.on("help")) {
      fmt::print("{}", help);
    } else {
      return no_topic(topic[0]);
    }
    return kOk;
  }
  size_t used = 0;
  const Command* command = find_command(commands, words, used);
  if (command == nullptr) {
    if (words.empty() || !is_group(commands, words[0])) {
      fmt::print("{}", help);
      return kFailed;
    }
    if (words.size() > 1 && !asks_for_help(words[1])) {
      return no_topic(words[1]);
    }
    fmt::print("{}", group_help(invocation.program, words[0], commands));
    return kOk;
  }
  return run_command(*command, std::move(invocation),
                     {words.begin() + static_cast<std::ptrdiff_t>(used), words.end()});
}

}  // namespace ica::cmd
