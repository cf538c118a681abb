#include <algorithm>
#include <fmt/format.h>
#include <set>

#include "agent/cmd/command.h"
#include "agent/cmd/lock.h"
#include "agent/cmd/ports.h"
#include "agent/config/identity.h"
#include "agent/config/service_json.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/codec/multibase.h"
#include "common/crypto/random.h"

namespace ica::cmd {
namespace {

constexpr cli::FlagSpec kFlags[] = {
    {.names = "consensus",
     .kind = cli::FlagKind::String,
     .usage = "select consensus: 'crdt'",
     .default_value = "crdt"},
    {.names = "datastore",
     .kind = cli::FlagKind::String,
     .usage = "datastore of ipfs-cluster-service that the file names, for the way back: 'badger', "
              "'badger3', 'leveldb' or 'pebble'",
     .default_value = "pebble"},
    {.names = "custom-secret, s", .usage = "prompt for the cluster secret"},
    {.names = "peers",
     .kind = cli::FlagKind::String,
     .usage = "comma-separated list of multiaddresses to init with (see help)"},
    {.names = "force, f", .usage = "overwrite configuration without prompting"},
    {.names = "randomports", .usage = "configure random ports to listen on instead of defaults"},
};

constexpr std::string_view kDescription = R"(
   Writes a service.json with default settings into the configuration folder, with the
   CLUSTER_* variables over them, and an identity.json when there is none. A cluster
   secret is made; give your own with CLUSTER_SECRET or --custom-secret.

   --force overwrites a configuration that is there. The identity stays; remove
   identity.json first to get a new one.

   An empty peerstore file is written too. With --peers it holds these addresses, and
   only these peers are trusted.
)";

// A failure and what was being done, for report().
struct Failure {
  std::string doing;
  Error error;
};

std::optional<Failure> check_choices(const Invocation& in) {
  const auto& consensus = in.flags.text("consensus");
  if (consensus == "raft") {
    return Failure{
        "choosing consensus",
        {Code::Unsupported,
         "raft is not offered by this program: use crdt. A raft cluster moves over with state "
         "export on the old peers and state import here"}};
  }
  if (consensus != "crdt") {
    return Failure{"choosing consensus",
                   {Code::InvalidArgument, "flag value must be set to 'raft' or 'crdt'"}};
  }
  const auto& datastore = in.flags.text("datastore");
  if (datastore != "pebble" && datastore != "leveldb" && datastore != "badger" &&
      datastore != "badger3") {
    return Failure{"choosing datastore",
                   {Code::InvalidArgument,
                    "flag value must be set to 'leveldb', 'badger', 'badger3' or 'pebble'"}};
  }
  if (!in.args.empty()) {
    return Failure{
        "reading the command line",
        {Code::Unsupported,
         fmt::format("a configuration at a URL ({}) is not supported: download it and put "
                     "it into {}",
                     in.args[0], (in.folder / config::kServiceFile).string())}};
  }
  return std::nullopt;
}

Status apply_random_ports(config::Config& config) {
  for (auto* addresses :
       {&config.cluster.listen_multiaddress, &config.rest_api.http_listen_multiaddress,
        &config.ipfs_proxy.listen_multiaddress, &config.pinsvc_api.http_listen_multiaddress}) {
    TRY(*addresses, randomize_ports(*addresses));
  }
  return {};
}

Result<Bytes> ask_for_secret() {
  fmt::print("Enter cluster secret (32-byte hex string): ");
  std::fflush(stdout);
  TRY(auto secret, base16_decode(read_line()));
  if (!secret.empty() && secret.size() != 32) {
    return fail(Code::InvalidArgument, "input secret is {} bytes, cluster secret should be 32",
                secret.size());
  }
  return secret;
}

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  return begin == std::string::npos
             ? ""
             : text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin);
}

std::optional<Failure> read_peers(const std::string& list, config::Config& config,
                                  config::Addresses& addresses) {
  std::string rest = list;
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string text = trimmed(rest.substr(0, comma));
    rest.erase(0, std::min(comma + 1, rest.size()));
    auto address = Multiaddr::parse(text);
    if (!address) {
      return Failure{"parsing peer multiaddress: " + text, address.error()};
    }
    if (!address->peer_id()) {
      return Failure{"parsing peer multiaddress: " + text,
                     {Code::InvalidArgument, "it has no /p2p/ with the peer's ID"}};
    }
    addresses.push_back(std::move(*address));
  }
  auto& trusted = config.crdt.trusted_peers;
  trusted.all = false;
  for (const auto& address : addresses) {
    const auto id = *address.peer_id();
    if (std::find(trusted.peers.begin(), trusted.peers.end(), id) == trusted.peers.end()) {
      trusted.peers.push_back(id);
    }
  }
  return std::nullopt;
}

bool mentions(const config::Environment& environment, std::string_view prefix) {
  const auto found = environment.lower_bound(prefix);
  return found != environment.end() && found->first.starts_with(prefix);
}

std::optional<Failure> make_config(const Invocation& in, config::Config& config,
                                   config::Addresses& peers) {
  config.folder = in.folder;
  config.datastore.name = in.flags.text("datastore");
  config.cluster.secret = random_bytes(32);
  if (in.flags.on("randomports")) {
    if (const Status status = apply_random_ports(config); !status) {
      return Failure{"randomizing ports", status.error()};
    }
  }
  // The reference writes these two sections always, and with them opens two more ports.
  config.ipfs_proxy.enabled = in.stands_in() || mentions(in.environment, "CLUSTER_IPFSPROXY_");
  config.pinsvc_api.enabled = in.stands_in() || mentions(in.environment, "CLUSTER_PINSVCAPI_");
  config::Strings warnings;
  Status status = config::apply_environment(in.environment, config, warnings);
  if (status) {
    status = config::validate(config);
  }
  if (!status) {
    return Failure{"applying environment variables to configuration", status.error()};
  }
  for (const auto& warning : warnings) {
    log_warn("config", "{}", warning);
  }
  if (in.flags.on("custom-secret")) {
    auto secret = ask_for_secret();
    if (!secret) {
      return Failure{"parsing user-provided secret", secret.error()};
    }
    config.cluster.secret = std::move(*secret);
  }
  if (!in.flags.text("peers").empty()) {
    return read_peers(in.flags.text("peers"), config, peers);
  }
  return std::nullopt;
}

std::optional<Failure> write_identity(const Invocation& in) {
  auto identity = config::apply_environment(in.environment, config::Identity::generate());
  if (!identity) {
    return Failure{"applying environment variables to the identity", identity.error()};
  }
  if (const Status status = config::save_identity(in.folder, *identity); !status) {
    return Failure{"saving identity.json", status.error()};
  }
  fmt::print(stderr, "new identity written to {}\n", (in.folder / config::kIdentityFile).string());
  return std::nullopt;
}

std::optional<Failure> write_peerstore(const config::Config& config,
                                       const config::Addresses& peers) {
  std::string lines;
  for (const auto& address : peers) {
    lines += address.text() + "\n";
  }
  const auto path = config.resolve(config.cluster.peerstore_file);
  if (const Status status = write_file(path, lines, 0644); !status) {
    return Failure{"saving peers to peerstore", status.error()};
  }
  if (peers.empty()) {
    fmt::print(stderr, "new empty peerstore written to {}.\n", path.string());
  } else {
    fmt::print(stderr, "peerstore written to {} with {} entries.\n", path.string(), peers.size());
  }
  return std::nullopt;
}

int run_init(const Invocation& in) {
  if (const auto failure = check_choices(in)) {
    return report(failure->doing, failure->error);
  }
  std::error_code ignored;
  const bool config_exists = std::filesystem::exists(in.folder / config::kServiceFile, ignored);
  const bool identity_exists = std::filesystem::exists(in.folder / config::kIdentityFile, ignored);
  std::optional<FolderLock> lock;
  if (config_exists || identity_exists) {  // a peer may be running on it
    auto taken = FolderLock::take(in.folder, in.program);
    if (!taken) {
      return report("obtaining execution lock", taken.error());
    }
    lock = std::move(*taken);
  }
  if (config_exists && !in.force && !in.flags.on("force") &&
      !confirm("The configuration file will be overwritten. Continue? [y/n]:")) {
    return kOk;
  }
  config::Config config;
  config::Addresses peers;
  if (const auto failure = make_config(in, config, peers)) {
    return report(failure->doing, failure->error);
  }
  log_info("config", "Saving configuration");
  if (const Status status = config::save_config(config); !status) {
    return report("saving default configuration", status.error());
  }
  fmt::print(stderr, "configuration written to {}.\n", (in.folder / config::kServiceFile).string());
  if (!identity_exists) {
    if (const auto failure = write_identity(in)) {
      return report(failure->doing, failure->error);
    }
  }
  if (const auto failure = write_peerstore(config, peers)) {
    return report(failure->doing, failure->error);
  }
  return kOk;
}

constexpr Command kCommands[] = {
    {.name = "init",
     .usage = "Creates a configuration and generates an identity",
     .description = kDescription,
     .args_usage = {},
     .flags = kFlags,
     .run = run_init},
};

}  // namespace

std::span<const Command> init_commands() {
  return kCommands;
}

}  // namespace ica::cmd
