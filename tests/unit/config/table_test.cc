#include <doctest/doctest.h>
#include <set>

#include "agent/config/value.h"
#include "support.h"

using namespace ica;
using namespace ica::config;
using namespace ica::config::test;

TEST_CASE("settings table: every row is whole and names are unique") {
  std::set<std::string> names;
  for (const auto& section : sections()) {
    CHECK(!section.title.empty());
    for (const auto& field : section.fields) {
      const std::string path = path_of(section, field);
      CAPTURE(path);
      CHECK(names.insert(env_name(section, field)).second);
      CHECK(field.meaning.ends_with("."));
      CHECK(!type_name(field).empty());
      CHECK((field.check == Check::None) ==
            (field.complaint.empty() || type_name(field).find('|') != std::string_view::npos));
    }
  }
  CHECK(names.count("CLUSTER_RESTAPI_HTTPLISTENMULTIADDRESS") == 1);
  CHECK(names.count("CLUSTER_CONNECTIONMANAGER_HIGHWATER") == 1);
  CHECK(names.count("CLUSTER_AGENT_MEMORYBUDGET") == 1);
}

TEST_CASE("settings table: each value survives its JSON form") {
  Config config = vector_config();
  Strings warnings;
  REQUIRE(apply_environment(environment_file("many.env"), config, warnings));
  for (const auto& section : sections()) {
    for (const auto& field : section.fields) {
      CAPTURE(path_of(section, field));
      std::string text;
      JsonWriter writer(text);
      value_to_json(field, config, writer);
      Config other = config;
      value_to_zero(field, other);
      const Json json = Json::parse(text);
      if (!json.is_null()) {
        REQUIRE(value_from_json(section, field, json, other));
      }
      if (text != "0" && text != "[]") {  // which keep a default, see Absent
        CHECK(values_equal(field, config, other));
      }
    }
  }
}

TEST_CASE("settings table: the documentation page is current") {
  const auto page = read_file(std::string(ICA_DOCS) + "/configuration.md", 1 << 20);
  REQUIRE(page);
  const bool current = *page == configuration_page();
  CHECK_MESSAGE(current, "run: ipfs-cluster-agent config docs > docs/configuration.md");
}
