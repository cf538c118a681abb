#include <fmt/format.h>

#include "agent/ctl/commands.h"
#include "agent/ctl/session.h"
#include "common/api/peer.h"

namespace ica::ctl {
namespace {

// Text for roff: backslashes and dashes keep their meaning, no line begins with a control
// character.
std::string escape(std::string_view text) {
  std::string out;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) {
      out += "\\&";
    }
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
    line_begins = c == '\n';
  }
  return out;
}

// A description with its own line breaks; the indentation of Go's help is left out.
std::string paragraphs(std::string_view text) {
  std::string out = ".nf\n";
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    out += escape(line) + "\n";
  }
  return out + ".fi\n";
}

std::string flag_entries(std::span<const FlagSpec> flags) {
  std::string out;
  for (const FlagSpec& flag : flags) {
    std::string names;
    for (const std::string_view name : flag_names(flag)) {
      names += fmt::format("{}\\fB{}{}\\fR", names.empty() ? "" : ", ",
                           name.size() == 1 ? "\\-" : "\\-\\-", escape(name));
    }
    const bool value = flag.kind != FlagKind::Bool;
    out += fmt::format(".TP\n{}{}\n{}", names, value ? " \\fIvalue\\fR" : "", escape(flag.usage));
    if (value && !flag.default_value.empty()) {
      out += fmt::format(" (default: {})", escape(flag.default_value));
    }
    if (!flag.env.empty()) {
      out += fmt::format(" [environment: {}]", flag.env);
    }
    out += "\n";
  }
  return out;
}

void command_entries(std::span<const CommandSpec> commands, const std::string& path,
                     std::string& out) {
  for (const CommandSpec& command : commands) {
    if (command.hidden) {
      continue;
    }
    const std::string full =
        path.empty() ? std::string(command.name) : fmt::format("{} {}", path, command.name);
    if (command.handler != nullptr) {
      out += fmt::format(".SS \"{} {}\"\n{}\n", escape(full), escape(command.args_usage),
                         escape(command.usage));
      if (!command.description.empty()) {
        out += ".PP\n" + paragraphs(command.description);
      }
      out += flag_entries(command.flags);
    }
    command_entries(command.subcommands, full, out);
  }
}

}  // namespace

Task<int> run_manual(Session& session, const Invocation&) {
  std::string out = fmt::format(
      ".TH IPFS\\-CLUSTER\\-CTL 1 \"\" \"IPFS Cluster {}\" \"User Commands\"\n"
      ".SH NAME\nipfs\\-cluster\\-ctl \\- command line client of IPFS Cluster peers\n"
      ".SH SYNOPSIS\n.B ipfs\\-cluster\\-ctl\n[\\fIglobal options\\fR] \\fIcommand\\fR "
      "[\\fIcommand options\\fR] [\\fIarguments\\fR...]\n.SH DESCRIPTION\n",
      api::kReferenceVersion);
  out += paragraphs(program_description());
  out += ".SH GLOBAL OPTIONS\n" + flag_entries(global_flags()) +
         flag_entries(std::span(&help_flag(), 1)) + flag_entries(std::span(&version_flag(), 1));
  out += ".SH COMMANDS\n";
  command_entries(command_table(), "", out);
  out +=
      ".SH EXIT STATUS\n"
      ".TP\n0\nSuccess; for \\fBhealth\\fR, nothing needs attention.\n"
      ".TP\n1\nWrong arguments, the request could not be made, or \\fBstate compact\\fR did "
      "nothing.\n"
      ".TP\n2\nThe peer answered with an error.\n"
      ".TP\n3\nNo such command.\n"
      ".TP\n4\n\\fBhealth\\fR and \\fBstatus \\-\\-watch\\fR: something needs attention.\n"
      ".TP\n62\nA wait ran out of time.\n"
      ".SH ENVIRONMENT\n"
      ".TP\nCLUSTER_CREDENTIALS\nUser and password, as for \\fB\\-\\-basic\\-auth\\fR.\n"
      ".TP\nNO_COLOR\nWhen set, no colours on a terminal.\n"
      ".SH EXAMPLES\n"
      ".nf\nipfs\\-cluster\\-ctl add photo.jpg\n"
      "ipfs\\-cluster\\-ctl pin add \\-\\-wait QmExample\n"
      "ipfs\\-cluster\\-ctl status \\-\\-watch\n"
      "ipfs\\-cluster\\-ctl health || echo \"the cluster needs attention\"\n.fi\n";
  session.console().out(out);
  co_return kExitOk;
}

}  // namespace ica::ctl
