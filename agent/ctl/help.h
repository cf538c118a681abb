#pragma once

#include <string>
#include <string_view>

#include "agent/ctl/commands.h"

namespace ica::ctl {

// Programs get the help pages byte for byte as urfave/cli prints them for the reference. People,
// who read them on a terminal, are told of our own commands and flags, too.
enum class Reader { Program, Person };

// `help`, and what a wrong global flag is answered with.
std::string program_help(Reader reader);
// `help <command>` and `<command> --help`; `path` is "ipfs-cluster-ctl pin add".
std::string command_help(std::string_view path, const CommandSpec& command, Reader reader);
// A group without a subcommand; `path` is "ipfs-cluster-ctl pin".
std::string group_help(std::string_view path, const CommandSpec& group, Reader reader);
// `<group> help`, which the reference prints in another form.
std::string group_program_help(std::string_view path, const CommandSpec& group, Reader reader);

// Lines with a tab get their second column aligned, as text/tabwriter does with padding 2: the
// width is that of the widest first cell in an unbroken run of such lines.
std::string align_columns(std::string_view text);

// "--host value, -l value\tAPI endpoint ... (default: "x") [$VAR]"
std::string flag_line(const FlagSpec& flag);

}  // namespace ica::ctl
