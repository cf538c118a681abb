#include "agent/ctl/help.h"

#include <doctest/doctest.h>
#include <set>

namespace ica::ctl {

TEST_CASE("columns are as wide as the widest cell of an unbroken run") {
  CHECK(align_columns("a\tx\nlong\ty\nplain\nb\tz\n") == "a     x\nlong  y\nplain\nb  z\n");
  CHECK(align_columns("") == "");
  CHECK(align_columns("no newline") == "no newline");
}

TEST_CASE("lines of flags") {
  CHECK(flag_line({"name, n", FlagKind::String, "Sets"}) == "--name value, -n value\tSets");
  CHECK(flag_line({"mode", FlagKind::String, "How", "recursive"}) ==
        "--mode value\tHow (default: \"recursive\")");
  CHECK(flag_line({"wt", FlagKind::Duration, "Long", "0s"}) == "--wt value\tLong (default: 0s)");
  CHECK(flag_line({"auth", FlagKind::String, "Who", "", "VAR"}) == "--auth value\tWho [$VAR]");
  CHECK(flag_line({"wait, w", FlagKind::Bool, "Wait"}) == "--wait, -w\tWait");
}

TEST_CASE("what is ours is in the help for people, and not in that for programs") {
  const CommandSpec* pin = find_command(command_table(), "pin");
  REQUIRE(pin != nullptr);
  CHECK(find_command(pin->subcommands, "recover") != nullptr);
  const auto pin_help = [&](Reader reader) {
    return group_help("ipfs-cluster-ctl pin", *pin, reader);
  };
  CHECK(pin_help(Reader::Program).find("recover") == std::string::npos);
  CHECK(pin_help(Reader::Person).find("recover") != std::string::npos);
  const CommandSpec* state = find_command(command_table(), "state");
  REQUIRE(state != nullptr);
  CHECK(find_command(state->subcommands, "compact") != nullptr);
  CHECK(program_help(Reader::Program).find(" state ") == std::string::npos);
  CHECK(program_help(Reader::Program).find("state compact") == std::string::npos);
  const std::string all = program_help(Reader::Person);
  CHECK(all.find("\n   state compact ") != std::string::npos);
  CHECK(all.find("\n   peers drain ") != std::string::npos);
  const CommandSpec* add = find_command(command_table(), "add");
  REQUIRE(add != nullptr);
  const auto add_help = [&](Reader reader) {
    return command_help("ipfs-cluster-ctl add", *add, reader);
  };
  CHECK(add_help(Reader::Program).find("no-progress") == std::string::npos);
  CHECK(add_help(Reader::Person).find("no-progress") != std::string::npos);
}

TEST_CASE("no flag name is used twice in a command") {
  const auto check = [](auto&& self, std::span<const CommandSpec> commands) -> void {
    for (const CommandSpec& command : commands) {
      std::set<std::string_view> seen = {"help", "h"};
      for (const FlagSpec& flag : command.flags) {
        for (const std::string_view name : flag_names(flag)) {
          CAPTURE(name);
          CHECK(seen.insert(name).second);
        }
      }
      // A group may do something by itself, as `health` does.
      CHECK((command.handler != nullptr || !command.subcommands.empty()));
      self(self, command.subcommands);
    }
  };
  check(check, command_table());
}

}  // namespace ica::ctl
