#include <fmt/format.h>

#include "agent/cmd/command.h"
#include "agent/config/identity.h"
#include "agent/config/service_json.h"
#include "common/base/file.h"

namespace ica::cmd {
namespace {

constexpr cli::FlagSpec kShowFlags[] = {
    {.names = "effective, e",
     .usage = "with the environment variables over the file: what a start now would use"},
};

int run_show(const Invocation& in) {
  const auto loaded = config::load_config(
      in.folder, in.flags.on("effective") ? in.environment : config::Environment());
  if (!loaded) {
    return report("loading configurations", loaded.error());
  }
  for (const auto& warning : loaded->warnings) {
    fmt::print(stderr, "warning: {}\n", warning);
  }
  fmt::print("{}\n", config::to_display_json(loaded->config));
  return kOk;
}

// What the table cannot check, because it is outside of the file.
Status check_surroundings(const config::Config& config) {
  for (const auto* api : {&config.rest_api, &config.pinsvc_api}) {
    for (const auto* file : {&api->ssl_cert_file, &api->ssl_key_file}) {
      if (api->enabled && !file->empty()) {
        TRY_VOID(read_file(config.resolve(*file), 1 << 20)
                     .context("error loading TLS certificate/key")
                     .map([](const auto&) {}));
      }
    }
  }
  TRY_VOID(dial_target(config.ipfs_http.node_multiaddress)
               .context("ipfshttp.node_multiaddress")
               .map([](const auto&) {}));
  return {};
}

int run_check(const Invocation& in) {
  const auto loaded = config::load_config(in.folder, in.environment);
  if (!loaded) {
    return report("loading configurations", loaded.error());
  }
  for (const auto& warning : loaded->warnings) {
    fmt::print("warning: {}\n", warning);
  }
  std::string notice;
  if (const auto identity = config::load_identity(in.folder, in.environment, notice); !identity) {
    return report("loading identity", identity.error());
  }
  fmt::print(stderr, "{}", notice);
  if (const Status status = check_surroundings(loaded->config); !status) {
    return report("checking the configuration", status.error());
  }
  fmt::print("the configuration in {} is good\n", in.folder.string());
  return kOk;
}

int run_docs(const Invocation&) {
  fmt::print("{}", config::configuration_page());
  return kOk;
}

constexpr Command kCommands[] = {
    {.name = "config show",
     .usage = "Prints the settings, with secrets masked",
     .description = {},
     .args_usage = {},
     .flags = kShowFlags,
     .run = run_show},
    {.name = "config check",
     .usage = "Checks settings, environment and identity; exit code 1 when something is wrong",
     .description = {},
     .args_usage = {},
     .flags = {},
     .run = run_check},
    {.name = "config docs",
     .usage = "Prints the page about all settings",
     .description = {},
     .args_usage = {},
     .flags = {},
     .run = run_docs},
};

}  // namespace

std::span<const Command> config_commands() {
  return kCommands;
}

}  // namespace ica::cmd
