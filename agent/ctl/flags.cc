#include "agent/ctl/flags.h"

#include <charconv>
#include <cstdlib>
#include <fmt/format.h>
#include <optional>

#include "agent/ctl/text.h"
#include "common/codec/go_quote.h"

namespace ica::ctl {
namespace {

// strconv.ParseInt with base 0: a sign, then decimal, 0x, 0o, 0b or a leading 0 for octal.
Result<int64_t> parse_int(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) {
    text.remove_prefix(1);
  }
  int base = 10;
  if (text.size() > 1 && text[0] == '0') {
    const char c = static_cast<char>(text[1] | 0x20);
    base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
    text.remove_prefix(c == 'x' || c == 'b' || c == 'o' ? 2 : 1);
  }
  uint64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (status == std::errc::result_out_of_range) {
    return fail(Code::InvalidArgument, "value out of range");
  }
  if (status != std::errc() || end != text.data() + text.size()) {
    return fail(Code::InvalidArgument, "parse error");
  }
  if (value > static_cast<uint64_t>(INT64_MAX) + (negative ? 1 : 0)) {
    return fail(Code::InvalidArgument, "value out of range");
  }
  return static_cast<int64_t>(negative ? 0 - value : value);
}

std::optional<bool> parse_bool(std::string_view text) {
  for (const std::string_view yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == yes) {
      return true;
    }
  }
  for (const std::string_view no : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (text == no) {
      return false;
    }
  }
  return std::nullopt;
}

const FlagSpec* find_flag(std::span<const FlagSpec> flags, std::string_view name) {
  for (const FlagSpec& flag : flags) {
    for (const std::string_view n : flag_names(flag)) {
      if (n == name) {
        return &flag;
      }
    }
  }
  return nullptr;
}

// What is wrong with `value` for this flag; empty when it is fine. Normalises booleans.
std::string check_value(const FlagSpec& flag, std::string_view name, std::string& value) {
  const auto bad = [&](std::string_view why) {
    return fmt::format("invalid value {} for flag -{}: {}", go_quote(value), name, why);
  };
  switch (flag.kind) {
    case FlagKind::Bool:
      if (const auto parsed = parse_bool(value)) {
        value = *parsed ? "true" : "false";
        return {};
      }
      return fmt::format("invalid boolean value {} for -{}: parse error", go_quote(value), name);
    case FlagKind::Int:
      if (const auto parsed = parse_int(value); !parsed) {
        return bad(parsed.error().message());
      }
      return {};
    case FlagKind::Duration:
      return parse_duration(value) ? std::string() : bad("parse error");
    case FlagKind::String:
    case FlagKind::StringList:
      return {};
  }
  ICA_UNREACHABLE();
}

// The name in `-name`, `--name`, `--name=value`; nothing when `arg` is no flag.
std::optional<std::string_view> flag_name(std::string_view arg) {
  if (arg.size() < 2 || arg[0] != '-' || arg == "--") {
    return std::nullopt;
  }
  arg.remove_prefix(arg[1] == '-' ? 2 : 1);
  return arg.substr(0, arg.find('='));
}

}  // namespace

std::vector<std::string_view> flag_names(const FlagSpec& flag) {
  std::vector<std::string_view> names;
  std::string_view rest = flag.names;
  while (!rest.empty()) {
    const size_t comma = rest.find(", ");
    names.push_back(rest.substr(0, comma));
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 2);
  }
  return names;
}

const FlagValues::Value& FlagValues::at(std::string_view name) const {
  const auto found = values_.find(name);
  ICA_ASSERT(found != values_.end());
  return found->second;
}

const std::string& FlagValues::text(std::string_view name) const {
  return at(name).text;
}
bool FlagValues::given(std::string_view name) const {
  return at(name).given;
}
const std::vector<std::string>& FlagValues::list(std::string_view name) const {
  return at(name).list;
}
int64_t FlagValues::number(std::string_view name) const {
  return parse_int(at(name).text).value_or(0);
}
Duration FlagValues::duration(std::string_view name) const {
  return parse_duration(at(name).text).value_or(Duration{});
}

ParsedFlags ParsedFlags::parse(std::span<const FlagSpec> flags, std::span<const std::string> args,
                               bool interspersed) {
  ParsedFlags out;
  for (const FlagSpec& flag : flags) {
    FlagValues::Value& value = out.values.values_[std::string(flag_names(flag).front())];
    value.text = flag.default_value;
    if (const char* env = flag.env.empty() ? nullptr : std::getenv(std::string(flag.env).c_str())) {
      value.text = env;
      value.given = true;
    }
  }
  std::map<const FlagSpec*, std::string_view> form_used;
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    if (arg == "--") {
      out.args.insert(out.args.end(), args.begin() + static_cast<ptrdiff_t>(i) + 1, args.end());
      break;
    }
    const auto name = flag_name(arg);
    const FlagSpec* flag = name ? find_flag(flags, *name) : nullptr;
    if (!name || (flag == nullptr && !out.args.empty())) {
      if (!interspersed) {
        out.args.insert(out.args.end(), args.begin() + static_cast<ptrdiff_t>(i), args.end());
        break;
      }
      out.args.push_back(arg);
      continue;
    }
    if (flag == nullptr) {
      const bool bad = name->empty() || name->front() == '-';
      out.error = bad ? fmt::format("bad flag syntax: {}", arg)
                      : fmt::format("flag provided but not defined: -{}", *name);
      break;
    }
    std::string value = "true";
    if (const size_t equals = arg.find('='); equals != std::string::npos) {
      value = arg.substr(equals + 1);
    } else if (flag->kind != FlagKind::Bool) {
      if (i + 1 == args.size()) {
        out.error = fmt::format("flag needs an argument: -{}", *name);
        break;
      }
      value = args[++i];
    }
    out.error = check_value(*flag, *name, value);
    if (!out.error.empty()) {
      break;
    }
    FlagValues::Value& stored = out.values.values_.find(flag_names(*flag).front())->second;
    stored.given = true;
    stored.text = value;
    if (flag->kind == FlagKind::StringList) {
      stored.list.push_back(value);
    }
    const auto [used, first] = form_used.emplace(flag, *name);
    if (!first && used->second != *name && out.two_forms_error.empty()) {
      const std::string_view primary = flag_names(*flag).front();
      out.two_forms_error = fmt::format("Cannot use two forms of the same flag: {} {}",
                                        used->second == primary ? *name : used->second, primary);
    }
  }
  return out;
}

}  // namespace ica::ctl
