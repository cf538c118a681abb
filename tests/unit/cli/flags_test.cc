#include "common/cli/flags.h"

#include <cstdlib>
#include <doctest/doctest.h>

namespace ica::cli {
namespace {

constexpr FlagSpec kFlags[] = {
    {"wait, w", FlagKind::Bool, "", ""},  {"name, n", FlagKind::String, "", "none"},
    {"count, c", FlagKind::Int, "", "3"}, {"limit", FlagKind::Duration, "", "0s"},
    {"metadata", FlagKind::StringList},   {"secret", FlagKind::String, "", "", "ICA_TEST_SECRET"},
};
using Args = std::vector<std::string>;

ParsedFlags parse(const Args& args, bool interspersed = true) {
  return ParsedFlags::parse(kFlags, args, interspersed);
}

}  // namespace

TEST_CASE("forms of a flag") {
  const auto p = parse({"-name", "x", "--count=0x10", "-w", "arg"});
  REQUIRE(p.error.empty());
  CHECK(p.values.text("name") == "x");
  CHECK(p.values.number("count") == 16);
  CHECK(p.values.on("wait"));
  CHECK(p.args == Args{"arg"});
  CHECK(p.values.given("name"));
  CHECK_FALSE(p.values.given("limit"));
  CHECK(parse({}).values.number("count") == 3);
  CHECK_FALSE(parse({"--wait=F"}).values.on("wait"));
  CHECK(parse({"-n="}).values.text("name").empty());
  CHECK(parse({"--limit", "1m30s"}).values.duration("limit") == std::chrono::seconds(90));
}

TEST_CASE("flags may follow arguments, values may look like flags") {
  const auto p = parse({"a", "--wait", "b", "-n", "--wait", "--unknown", "-", "--", "-n"});
  REQUIRE(p.error.empty());
  CHECK(p.values.on("wait"));
  CHECK(p.values.text("name") == "--wait");
  CHECK(p.args == Args{"a", "b", "--unknown", "-", "-n"});
  const auto strict = parse({"-w", "sub", "-n", "x"}, false);
  CHECK(strict.args == Args{"sub", "-n", "x"});
  CHECK(strict.values.text("name") == "none");
}

TEST_CASE("lists keep every value") {
  const auto p = parse({"--metadata", "a=b", "-metadata=c=d=e"});
  CHECK(p.values.list("metadata") == Args{"a=b", "c=d=e"});
}

TEST_CASE("what is wrong is said as by Go's flag package") {
  CHECK(parse({"--bogus"}).error == "flag provided but not defined: -bogus");
  CHECK(parse({"-n"}).error == "flag needs an argument: -n");
  CHECK(parse({"-c", "x"}).error == "invalid value \"x\" for flag -c: parse error");
  CHECK(parse({"-c", "99999999999999999999"}).error ==
        "invalid value \"99999999999999999999\" for flag -c: value out of range");
  CHECK(parse({"--limit", "3"}).error == "invalid value \"3\" for flag -limit: parse error");
  CHECK(parse({"--wait=2"}).error == "invalid boolean value \"2\" for -wait: parse error");
  CHECK(parse({"---n"}).error == "bad flag syntax: ---n");
  CHECK(parse({"-n", "a", "--name", "b"}).two_forms_error ==
        "Cannot use two forms of the same flag: n name");
  CHECK(parse({"-n", "a", "-n", "b"}).two_forms_error.empty());
}

TEST_CASE("a default from the environment") {
  CHECK(parse({}).values.text("secret").empty());
  ::setenv("ICA_TEST_SECRET", "from-env", 1);
  CHECK(parse({}).values.text("secret") == "from-env");
  CHECK(parse({"--secret", "line"}).values.text("secret") == "line");
  ::unsetenv("ICA_TEST_SECRET");
}

}  // namespace ica::cli
