#include "agent/ctl/app.h"

#include <fmt/format.h>
#include <optional>

#include "agent/ctl/commands.h"
#include "agent/ctl/help.h"
#include "agent/ctl/session.h"
#include "agent/ctl/text.h"
#include "common/api/peer.h"
#include "common/base/async.h"
#include "common/codec/go_quote.h"

namespace ica::ctl {
namespace {

// encoding/hex's words for what is wrong with a secret; empty when it is fine.
std::string hex_error(std::string_view hex) {
  for (const char c : hex) {
    if (!std::isxdigit(static_cast<uint8_t>(c))) {
      std::string quoted = go_quote(std::string_view(&c, 1));
      quoted.front() = quoted.back() = '\'';
      return fmt::format("encoding/hex: invalid byte: U+{:04X} {}", static_cast<uint8_t>(c),
                         quoted);
    }
  }
  return hex.size() % 2 == 0 ? "" : "encoding/hex: odd length hex string";
}

struct Settings {
  ApiOptions api;
  Encoding encoding = Encoding::Text;
};

// What the global flags say. An error has been told when nothing comes back.
std::optional<Settings> read_global(const FlagValues& flags, Console& console) {
  const auto refuse = [&](std::string_view message) {
    console.err(fmt::format("error {}\n", message));
    return std::nullopt;
  };
  Settings out;
  const std::string& secret = flags.text("secret");
  if (const std::string wrong = hex_error(secret); !wrong.empty()) {
    return refuse("parsing secret: " + wrong);
  }
  out.api.debug = flags.on("debug");
  out.api.timeout = std::chrono::seconds(std::max<int64_t>(0, flags.number("timeout")));
  out.api.verify_tls = !flags.on("no-check-certificate");
  const std::string& credentials = flags.text("basic-auth");
  const size_t colon = credentials.find(':');
  out.api.user = credentials.substr(0, colon);
  out.api.password = colon == std::string::npos ? "" : credentials.substr(colon + 1);
  const bool tls = flags.on("https") || (!out.api.user.empty() && !flags.on("force-http"));
  const std::string& encoding = flags.text("encoding");
  if (encoding != "text" && encoding != "json") {
    return refuse(": unsupported encoding");
  }
  out.encoding = encoding == "json" ? Encoding::Json : Encoding::Text;
  auto endpoints = parse_hosts(flags.text("host"), tls);
  if (!endpoints) {
    return refuse(endpoints.error().message());
  }
  out.api.endpoints = std::move(*endpoints);
  return out;
}

Task<void> run_handler(Handler handler, Session* session, const Invocation* line, int* code) {
  *code = co_await handler(*session, *line);
}

int execute(const CommandSpec& command, const Invocation& line, const Settings& settings,
            Console& console) {
  ApiClient api(settings.api, console);
  Session session(console, api, settings.encoding);
  asio::io_context loop;
  // The HTTP client resumes us from its own thread: the loop must not run dry meanwhile.
  auto work = asio::make_work_guard(loop);
  int code = kExitFailed;
  asio::co_spawn(loop, run_handler(command.handler, &session, &line, &code),
                 [&](std::exception_ptr failed) {
                   work.reset();
                   loop.stop();
                   if (failed) {
                     std::rethrow_exception(failed);
                   }
                 });
  loop.run();
  return code;
}

std::vector<FlagSpec> with_help(std::span<const FlagSpec> flags) {
  std::vector<FlagSpec> out(flags.begin(), flags.end());
  out.push_back(help_flag());
  return out;
}

int no_topic(std::string_view topic, Console& console) {
  console.err(fmt::format("No help topic for '{}'\n", topic));
  return kExitNoTopic;
}

Reader reader(const Console& console) {
  return console.out_is_terminal() ? Reader::Person : Reader::Program;
}

bool is_help(std::string_view word) {
  return word == "help" || word == "h";
}

int run_command(const std::string& path, const CommandSpec& command,
                const std::vector<std::string>& args, const Settings& settings, Console& console) {
  const auto flags = with_help(command.flags);
  ParsedFlags parsed = ParsedFlags::parse(flags, args, true);
  const std::string& wrong = parsed.error.empty() ? parsed.two_forms_error : parsed.error;
  if (!wrong.empty()) {
    console.out(fmt::format("Incorrect Usage: {}\n\n", wrong) +
                command_help(path, command, reader(console)));
    return kExitFailed;
  }
  if (parsed.values.on("help")) {
    console.out(command_help(path, command, reader(console)));
    return kExitOk;
  }
  const Invocation line{.flags = std::move(parsed.values), .args = std::move(parsed.args)};
  return execute(command, line, settings, console);
}

int run_group(const std::string& path, const CommandSpec& group,
              const std::vector<std::string>& args, const Settings& settings, Console& console) {
  const auto flags = with_help({});
  const ParsedFlags parsed = ParsedFlags::parse(flags, args, false);
  if (!parsed.two_forms_error.empty()) {
    console.out(parsed.two_forms_error + "\n\n" + group_help(path, group, reader(console)));
    return kExitFailed;
  }
  if (!parsed.error.empty()) {
    console.out(fmt::format("Incorrect Usage. {}\n\n", parsed.error) +
                group_help(path, group, reader(console)));
    return kExitFailed;
  }
  if (parsed.args.empty() && group.handler != nullptr && !parsed.values.on("help")) {
    return execute(group, Invocation(), settings, console);
  }
  if (parsed.values.on("help") || parsed.args.empty()) {
    console.out(group_help(path, group, reader(console)));
    return kExitOk;
  }
  std::string_view name = parsed.args.front();
  const bool help = is_help(name);
  if (help) {
    if (parsed.args.size() == 1) {
      console.out(group_program_help(path, group, reader(console)));
      return kExitOk;
    }
    name = parsed.args[1];
  }
  const CommandSpec* command = find_command(group.subcommands, name);
  if (command == nullptr) {
    return no_topic(name, console);
  }
  const std::string full = fmt::format("{} {}", path, name);
  if (help) {
    console.out(command_help(full, *command, reader(console)));
    return kExitOk;
  }
  return run_command(full, *command, {parsed.args.begin() + 1, parsed.args.end()}, settings,
                     console);
}

// `help [command]`, and a word that is no command.
int show_help(std::string_view topic, Console& console) {
  if (topic.empty()) {
    console.out(program_help(reader(console)));
    return kExitOk;
  }
  static const CommandSpec kHelp{.name = "help",
                                 .usage = "Shows a list of commands or help for one command",
                                 .args_usage = "[command]"};
  const bool itself = is_help(topic) || topic == "--help" || topic == "-h";
  const CommandSpec* command = itself ? &kHelp : find_command(command_table(), topic);
  if (command == nullptr) {
    return no_topic(topic, console);
  }
  console.out(command_help(fmt::format("{} {}", kProgram, topic), *command, reader(console)));
  return kExitOk;
}

}  // namespace

int run(const std::vector<std::string>& args, Console& console) {
  auto flags = with_help(global_flags());
  flags.push_back(version_flag());
  const ParsedFlags parsed = ParsedFlags::parse(flags, args, false);
  if (!parsed.two_forms_error.empty()) {
    console.out(parsed.two_forms_error + "\n" + program_help(reader(console)));
    return kExitFailed;
  }
  if (!parsed.error.empty()) {
    console.out(fmt::format("Incorrect Usage. {}\n\n", parsed.error) +
                program_help(reader(console)));
    return kExitFailed;
  }
  if (parsed.values.on("help")) {
    console.out(program_help(reader(console)));
    return kExitOk;
  }
  if (parsed.values.on("version")) {
    console.out(fmt::format("{} version {}\n", kProgram, api::kReferenceVersion));
    return kExitOk;
  }
  const std::string name = parsed.args.empty() ? "help" : parsed.args.front();
  const CommandSpec* command = find_command(command_table(), name);
  const std::vector<std::string> rest(
      parsed.args.empty() ? parsed.args.end() : parsed.args.begin() + 1, parsed.args.end());
  // The reference reads --host and --encoding before it looks at the command, so their errors come
  // first.
  const auto settings = read_global(parsed.values, console);
  if (!settings) {
    return kExitFailed;
  }
  if (command == nullptr) {
    return show_help(is_help(name) ? (rest.empty() ? "" : rest.front()) : name, console);
  }
  const std::string path = fmt::format("{} {}", kProgram, name);
  return command->subcommands.empty() ? run_command(path, *command, rest, *settings, console)
                                      : run_group(path, *command, rest, *settings, console);
}

}  // namespace ica::ctl
