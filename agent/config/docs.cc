#include "agent/config/service_json.h"
#include "agent/config/value.h"

namespace ica::config {
namespace {

// A cell of a Markdown table.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') {
      out += '\\';
    }
    out += c;
  }
  return out;
}

std::string default_text(const Field& field, const Config& config) {
  if (field.key == "peername") {
    return "host name";
  }
  if (field.key == "secret") {
    return "made by init";
  }
  std::string text;
  JsonWriter writer(text);
  value_to_json(field, config, writer);
  if (text.size() > 1 && text.front() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  return text.empty() ? "" : fmt::format("`{}`", text);
}

std::string_view check_text(Check check) {
  switch (check) {
    case Check::None:
      return "";
    case Check::Positive:
      return " Above 0.";
    case Check::NotNegative:
      return " 0 or more.";
    case Check::NotZero:
      return " Not 0.";
    case Check::NotEmpty:
      return " Not empty.";
    case Check::AtLeast4096:
      return " At least 4096.";
  }
  ICA_UNREACHABLE();
}

constexpr std::string_view kIntroduction = R"(# Configuration

<!-- Made by `ipfs-cluster-agent config docs`; a test compares. Edit agent/config/fields_*.cc instead. -->

A peer's settings are in `service.json` in its configuration folder (`--config`, `IPFS_CLUSTER_PATH`,
else `~/.ipfs-cluster`). File, sections and keys are those of IPFS Cluster 1.1; a folder made by
`ipfs-cluster-service` works as it is, and one made here works there. `init` writes the defaults.
Environment variables are laid over the file at every start, and written into it by `init`. An invalid value
stops `init` and `daemon` with a sentence that names it. Keys and `CLUSTER_*` variables that nobody knows are
kept and warned about.

* Durations are written as `1h30m`, `15s`, `300ms`. Lists in variables are separated by commas, maps are
  `key:value,key2:value2`.
* A variable marked *secret* can instead be given as a file: `CLUSTER_SECRET_FILE=/run/secrets/cluster`.
  Setting both is an error. `config show` masks secrets.
* A key marked *ours* is unknown to IPFS Cluster, which ignores it.
* `config show` prints the file as it is understood, `config show --effective` what is in force with the
  environment, `config check` says what is wrong.

## identity.json

| key | variable | meaning |
|---|---|---|
| id | `CLUSTER_ID` | The peer's ID. |
| private_key | `CLUSTER_PRIVATEKEY` *secret* | Its key: base64 of libp2p's protobuf. Made by `init` when there is no such file. Only the owner may read the file. |

## Variables without a key

| variable | meaning |
|---|---|
| `IPFS_CLUSTER_PATH` | The configuration folder. |
| `CLUSTER_BOOTSTRAP_DNS` | More names for `agent.bootstrap_dns`, separated by commas. |
| `IPFS_CLUSTER_LOG_LEVEL` | Log levels: `info`, or `info,restapi:debug,crdt:error` for single components. |
)";

}  // namespace

std::string configuration_page() {
  const Config defaults;
  std::string page(kIntroduction);
  for (const auto& section : sections()) {
    page += fmt::format(
        "\n## {}{}{}\n\n{}.\n\n| key | variable | type | default | meaning "
        "|\n|---|---|---|---|---|\n",
        section.group, section.group.empty() ? "" : ".", section.key, section.title);
    for (const auto& field : section.fields) {
      page += fmt::format("| {}{} | `{}`{} | {} | {} | {}{} |\n", field.key,
                          field.ours && section.key != "agent" ? " *ours*" : "",
                          env_name(section, field), field.secret ? " *secret*" : "",
                          cell(type_name(field)), cell(default_text(field, defaults)),
                          cell(field.meaning), check_text(field.check));
    }
  }
  page +=
      "\n## datastore\n\nThe reference's database (`pebble`, `leveldb`, `badger3` or `badger`) and "
      "its options. "
      "Kept as it stands, for the way\nback; our database is in `agent.folder`.\n";
  return page;
}

}  // namespace ica::config
