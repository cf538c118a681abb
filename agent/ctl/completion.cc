#include <fmt/format.h>

#include "agent/ctl/commands.h"
#include "agent/ctl/session.h"

namespace ica::ctl {
namespace {

// One place on the command line: the words so far, and what may follow them.
struct Place {
  std::string path;  // "pin add"; empty behind the global flags
  std::vector<std::pair<std::string, std::string>> words;  // and what they mean
  std::vector<std::pair<std::string, std::string>> flags;
  std::vector<std::string> with_value;  // of the flags
};

// The first line of a help text, without what a shell would read as its own.
std::string brief(std::string_view usage) {
  std::string out;
  for (const char c : usage.substr(0, usage.find('\n'))) {
    if (c == '\'' || c == '"' || c == '`' || c == '$' || c == '\\' || c == '[' || c == ']') {
      continue;
    }
    out += c == ':' ? ',' : c;
  }
  return out;
}

void add_flags(Place& place, std::span<const FlagSpec> flags) {
  for (const FlagSpec& flag : flags) {
    for (const std::string_view name : flag_names(flag)) {
      const std::string word = (name.size() == 1 ? "-" : "--") + std::string(name);
      place.flags.emplace_back(word, brief(flag.usage));
      if (flag.kind != FlagKind::Bool) {
        place.with_value.push_back(word);
      }
    }
  }
}

void walk(std::span<const CommandSpec> commands, const std::string& path,
          std::span<const FlagSpec> flags, std::vector<Place>& out) {
  Place here{.path = path, .words = {}, .flags = {}, .with_value = {}};
  add_flags(here, flags);
  add_flags(here, std::span(&help_flag(), 1));
  for (const CommandSpec& command : commands) {
    if (!command.hidden) {
      here.words.emplace_back(command.name, brief(command.usage));
    }
  }
  out.push_back(std::move(here));
  for (const CommandSpec& command : commands) {
    if (!command.hidden) {
      walk(command.subcommands,
           path.empty() ? std::string(command.name) : fmt::format("{} {}", path, command.name),
           command.flags, out);
    }
  }
}

std::vector<Place> places() {
  std::vector<Place> out;
  walk(command_table(), "", global_flags(), out);
  out.front().words.emplace_back("help", "Shows a list of commands or help for one command");
  return out;
}

std::string firsts(const std::vector<std::pair<std::string, std::string>>& list) {
  std::string out;
  for (const auto& [word, meaning] : list) {
    out += (out.empty() ? "" : " ") + word;
  }
  return out;
}

// Finds the place by the words that are commands; shared by bash and zsh, which both run it.
std::string bash_script() {
  std::string out = R"(# bash completion for ipfs-cluster-ctl
_ipfs_cluster_ctl() {
  local cur prev word place="" words="" flags="" values="" i skip=0
  cur="${COMP_WORDS[COMP_CWORD]}"
  prev="${COMP_WORDS[COMP_CWORD-1]}"
  _ipfs_cluster_ctl_place ""
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${COMP_WORDS[i]}"
    if [ "$skip" = 1 ]; then skip=0; continue; fi
    case " $values " in *" $word "*) skip=1; continue ;; esac
    case " $words " in
      *" $word "*) _ipfs_cluster_ctl_place "${place:+$place }$word" ;;
    esac
  done
  case " $values " in *" $prev "*) COMPREPLY=($(compgen -f -- "$cur")); return ;; esac
  case "$cur" in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$cur")) ;;
    *)
      if [ -n "$words" ]; then
        COMPREPLY=($(compgen -W "$words" -- "$cur"))
      else
        COMPREPLY=($(compgen -f -- "$cur"))
      fi ;;
  esac
}
_ipfs_cluster_ctl_place() {
  place="$1"
  case "$1" in
)";
  for (const Place& place : places()) {
    out += fmt::format("    '{}') words='{}' flags='{}' values='{}' ;;\n", place.path,
                       firsts(place.words), firsts(place.flags), fmt::join(place.with_value, " "));
  }
  out += R"(    *) words="" flags="" values="" ;;
  esac
}
complete -o filenames -F _ipfs_cluster_ctl ipfs-cluster-ctl
)";
  return out;
}

std::string zsh_script() {
  std::string out = R"(#compdef ipfs-cluster-ctl
_ipfs_cluster_ctl_place() {
  place="$1"
  case "$1" in
)";
  for (const Place& place : places()) {
    const auto list = [](const auto& entries) {
      std::string text;
      for (const auto& [word, meaning] : entries) {
        text += fmt::format(" '{}:{}'", word, meaning);
      }
      return text;
    };
    out += fmt::format(
        "    '{}')\n      words_here=({} )\n      flags=({} )\n      values='{}' ;;\n", place.path,
        list(place.words), list(place.flags), fmt::join(place.with_value, " "));
  }
  out += R"(    *) words_here=() flags=() values="" ;;
  esac
}
_ipfs_cluster_ctl() {
  local place="" values="" word i skip=0
  local -a words_here flags
  _ipfs_cluster_ctl_place ""
  for ((i = 2; i < CURRENT; i++)); do
    word="${words[i]}"
    if [[ $skip = 1 ]]; then skip=0; continue; fi
    if [[ " $values " = *" $word "* ]]; then skip=1; continue; fi
    if (( ${words_here[(I)$word:*]} )); then
      _ipfs_cluster_ctl_place "${place:+$place }$word"
    fi
  done
  if [[ " $values " = *" ${words[CURRENT-1]} "* ]]; then
    _files
  elif [[ "${words[CURRENT]}" = -* ]]; then
    _describe 'option' flags
  elif (( ${#words_here} )); then
    _describe 'command' words_here
  else
    _files
  fi
}
if [ "$funcstack[1]" = "_ipfs_cluster_ctl" ]; then
  _ipfs_cluster_ctl "$@"
else
  compdef _ipfs_cluster_ctl ipfs-cluster-ctl
fi
)";
  return out;
}

// fish asks for a condition a candidate: the commands that were typed, in order.
std::string fish_script() {
  std::string out = R"(# fish completion for ipfs-cluster-ctl
function __ipfs_cluster_ctl_place
    set -l place
    for word in (commandline -opc)[2..-1]
        string match -q -- '-*' $word; and continue
        set -l longer (string join ' ' $place $word)
        contains -- "$longer" $__ipfs_cluster_ctl_places; and set place $longer
    end
    test "$place" = "$argv[1]"
end
set -g __ipfs_cluster_ctl_places)";
  const auto all = places();
  for (const Place& place : all) {
    if (!place.path.empty()) {
      out += fmt::format(" '{}'", place.path);
    }
  }
  out += "\n";
  for (const Place& place : all) {
    const std::string when = fmt::format("-n \"__ipfs_cluster_ctl_place '{}'\"", place.path);
    for (const auto& [word, meaning] : place.words) {
      out +=
          fmt::format("complete -c ipfs-cluster-ctl -f {} -a '{}' -d '{}'\n", when, word, meaning);
    }
    for (const auto& [flag, meaning] : place.flags) {
      const bool lengthy = flag.starts_with("--");
      const bool value = std::find(place.with_value.begin(), place.with_value.end(), flag) !=
                         place.with_value.end();
      out += fmt::format("complete -c ipfs-cluster-ctl {} {} '{}'{} -d '{}'\n", when,
                         lengthy ? "-l" : "-s", flag.substr(lengthy ? 2 : 1), value ? " -r" : "",
                         meaning);
    }
  }
  return out;
}

}  // namespace

Task<int> run_completion(Session& session, const Invocation& line) {
  const std::string_view shell = line.arg(0);
  if (shell == "bash") {
    session.console().out(bash_script());
  } else if (shell == "zsh") {
    session.console().out(zsh_script());
  } else if (shell == "fish") {
    session.console().out(fish_script());
  } else {
    co_return session.fail("", shell.empty() ? "which shell? one of bash, zsh, fish"
                                             : fmt::format("no completion for {}: one of bash, "
                                                           "zsh, fish",
                                                           shell));
  }
  co_return kExitOk;
}

}  // namespace ica::ctl
