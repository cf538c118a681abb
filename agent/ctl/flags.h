#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"

namespace ica::ctl {

enum class FlagKind { Bool, String, Int, Duration, StringList };

struct FlagSpec {
  std::string_view names;  // "replication-min, rmin": the first one is what the code asks for
  FlagKind kind = FlagKind::Bool;
  std::string_view usage = {};
  std::string_view default_value = {};
  std::string_view env = {};  // environment variable that gives the default
  bool extra = false;         // ours, not the reference's: left out of the help
};

// The flags' names one by one: {"replication-min", "rmin"}.
std::vector<std::string_view> flag_names(const FlagSpec& flag);

// What a command line said, with defaults filled in. Asking for a flag that was not declared is a
// bug.
class FlagValues {
 public:
  bool on(std::string_view name) const { return text(name) == "true"; }
  const std::string& text(std::string_view name) const;
  int64_t number(std::string_view name) const;
  Duration duration(std::string_view name) const;
  const std::vector<std::string>& list(std::string_view name) const;
  bool given(std::string_view name) const;  // on the command line or in the environment

 private:
  friend struct ParsedFlags;
  struct Value {
    std::string text;
    std::vector<std::string> list;
    bool given = false;
  };
  const Value& at(std::string_view name) const;
  std::map<std::string, Value, std::less<>> values_;
};

struct ParsedFlags {
  FlagValues values;
  std::vector<std::string> args;
  // Non-empty when the line is wrong. Two forms of one flag are reported apart because the
  // reference prints them differently.
  std::string error;
  std::string two_forms_error;

  // Reads `args` as Go's flag package and urfave/cli do: one or two dashes, `--flag=value` or
  // `--flag value`, booleans without a value, `--` ends the flags. With `interspersed` flags may
  // also stand behind positional arguments.
  static ParsedFlags parse(std::span<const FlagSpec> flags, std::span<const std::string> args,
                           bool interspersed);
};

}  // namespace ica::ctl
