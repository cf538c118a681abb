#include "agent/ctl/help.h"

#include <algorithm>
#include <fmt/format.h>
#include <vector>

#include "agent/ctl/session.h"
#include "agent/ctl/text.h"
#include "common/api/peer.h"
#include "common/codec/go_quote.h"

namespace ica::ctl {
namespace {

constexpr std::string_view kHelpUsage = "Shows a list of commands or help for one command";

std::string command_lines(std::span<const CommandSpec> commands, bool with_help) {
  std::string out;
  for (const CommandSpec& command : commands) {
    if (!command.hidden && !command.extra) {
      out += fmt::format("\n   {}\t{}", command.name, command.usage);
    }
  }
  if (with_help) {
    out += fmt::format("\n   help, h\t{}", kHelpUsage);
  }
  return out;
}

void add_extra_lines(std::span<const CommandSpec> commands, std::string_view path,
                     bool inside_extra, std::string& out) {
  for (const CommandSpec& command : commands) {
    const std::string full = fmt::format("{}{}", path, command.name);
    const bool extra = inside_extra || command.extra;
    if (command.hidden) {
      continue;
    }
    if (extra && command.handler != nullptr) {
      out += fmt::format("\n   {}\t{}", full, command.usage);
    }
    add_extra_lines(command.subcommands, full + " ", extra, out);
  }
}

// The commands that the reference does not have, under a heading of their own.
std::string extra_commands(std::span<const CommandSpec> commands, Reader reader) {
  std::string lines;
  if (reader == Reader::Person) {
    add_extra_lines(commands, "", false, lines);
  }
  return lines.empty() ? lines
                       : fmt::format("\n\nMORE COMMANDS, not in IPFS Cluster {}:{}",
                                     api::kReferenceVersion, lines);
}

// The page of a program: `ipfs-cluster-ctl help`, and `ipfs-cluster-ctl pin help`.
std::string program_page(std::string_view path, std::string_view usage,
                         std::string_view description, std::string_view commands,
                         const std::vector<std::string>& flags) {
  return align_columns(fmt::format(
      "NAME:\n   {} - {}\n\n"
      "USAGE:\n   {} [global options] command [command options] [arguments...]\n\n"
      "VERSION:\n   {}\n\n"
      "DESCRIPTION:\n   {}\n\n"
      "COMMANDS:{}\n\n"
      "GLOBAL OPTIONS:\n   {}\n",
      path, usage, path, api::kReferenceVersion, description, commands, fmt::join(flags, "\n   ")));
}

void list_commands(std::span<const CommandSpec> commands, const std::string& path,
                   std::string& out) {
  for (const CommandSpec& command : commands) {
    if (command.extra) {
      continue;
    }
    const std::string full = fmt::format("{} {}", path, command.name);
    out += full + "\n";
    list_commands(command.subcommands, full, out);
  }
}

}  // namespace

std::string align_columns(std::string_view text) {
  std::vector<std::string_view> lines;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  std::string out;
  for (size_t i = 0; i < lines.size();) {
    size_t width = 0;
    size_t run = i;
    while (run < lines.size() && lines[run].find('\t') != std::string_view::npos) {
      width = std::max(width, rune_count(lines[run].substr(0, lines[run].find('\t'))) + 2);
      ++run;
    }
    for (const size_t end = std::max(run, i + 1); i < end; ++i) {
      const size_t tab = lines[i].find('\t');
      if (tab == std::string_view::npos) {
        out += lines[i];
      } else {
        out += pad_right(lines[i].substr(0, tab), width);
        out += lines[i].substr(tab + 1);
      }
      out += '\n';
    }
  }
  out.pop_back();  // the last piece had no newline behind it
  return out;
}

std::string flag_line(const FlagSpec& flag) {
  std::string out;
  for (const std::string_view name : flag_names(flag)) {
    out += fmt::format("{}{}{}{}", out.empty() ? "" : ", ", name.size() == 1 ? "-" : "--", name,
                       flag.kind == FlagKind::Bool ? "" : " value");
  }
  out += '\t';
  out += flag.usage;
  if (flag.kind == FlagKind::String && !flag.default_value.empty()) {
    out += fmt::format(" (default: {})", go_quote(flag.default_value));
  } else if (flag.kind == FlagKind::Int || flag.kind == FlagKind::Duration) {
    out += fmt::format(" (default: {})", flag.default_value);
  }
  if (!flag.env.empty()) {
    out += fmt::format(" [${}]", flag.env);
  }
  return out;
}

std::string program_help(Reader reader) {
  std::vector<std::string> flags;
  for (const FlagSpec& flag : global_flags()) {
    flags.push_back(flag_line(flag));
  }
  flags.push_back(flag_line(help_flag()));
  flags.push_back(flag_line(version_flag()));
  return program_page(
      kProgram, "CLI for IPFS Cluster", program_description(),
      command_lines(command_table(), true) + extra_commands(command_table(), reader), flags);
}

std::string command_help(std::string_view path, const CommandSpec& command, Reader reader) {
  std::string flags;
  for (const FlagSpec& flag : command.flags) {
    if (!flag.extra || reader == Reader::Person) {
      flags += flag_line(flag) + "\n   ";
    }
  }
  std::string out = fmt::format("NAME:\n   {} - {}\n\nUSAGE:\n   {}{} {}", path, command.usage,
                                path, flags.empty() ? "" : " [command options]",
                                command.args_usage.empty() ? "[arguments...]" : command.args_usage);
  if (!command.description.empty()) {
    out += fmt::format("\n\nDESCRIPTION:\n   {}", command.description);
  }
  if (!flags.empty()) {
    out += "\n\nOPTIONS:\n   " + flags;
  }
  return align_columns(out + "\n");
}

std::string group_help(std::string_view path, const CommandSpec& group, Reader reader) {
  return align_columns(fmt::format(
      "NAME:\n   {} - {}\n\n"
      "USAGE:\n   {} command [command options] [arguments...]\n\n"
      "COMMANDS:{}\n\n"
      "OPTIONS:\n   {}\n   \n",
      path, group.description, path,
      command_lines(group.subcommands, false) + extra_commands(group.subcommands, reader),
      flag_line(help_flag())));
}

std::string group_program_help(std::string_view path, const CommandSpec& group, Reader reader) {
  return program_page(
      path, group.usage, group.description,
      command_lines(group.subcommands, false) + extra_commands(group.subcommands, reader),
      {flag_line(help_flag())});
}

Task<int> run_commands(Session& session, const Invocation&) {
  std::string out;
  list_commands(command_table(), std::string(kProgram), out);
  session.console().out(out + fmt::format("{} help\n", kProgram));
  co_return 0;
}

}  // namespace ica::ctl
