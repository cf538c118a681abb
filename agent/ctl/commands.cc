#include "agent/ctl/commands.h"

#include "agent/ctl/descriptions.h"

namespace ica::ctl {
namespace {

using enum FlagKind;

constexpr std::string_view kWaitUsage =
    "Wait for the pin to reach the minimum replication factor before returning";
constexpr std::string_view kWaitLimitUsage =
    "How many peers should reach the desired status to finish waiting";
constexpr std::string_view kWaitTimeoutUsage = "How long to --wait (in seconds). Default: forever";

constexpr FlagSpec kWaitFlag{"wait, w", Bool, kWaitUsage};
constexpr FlagSpec kWaitLimitFlag{"wait-limit, wl", Int, kWaitLimitUsage, "0"};
constexpr FlagSpec kWaitTimeoutFlag{"wait-timeout, wt", Duration, kWaitTimeoutUsage, "0s"};
constexpr FlagSpec kLocalFlag{"local", Bool, "run operation only on the contacted peer"};

constexpr FlagSpec kGlobalFlags[] = {
    {"host, l", String, "API endpoint multiaddresses (comma-separated)", kDefaultHost},
    {"secret", String,
     "cluster secret (32 byte pnet-key) as needed. Only when using the LibP2P endpoint"},
    {"https, s", Bool, "use https to connect to the API"},
    {"no-check-certificate", Bool,
     "do not verify server TLS certificate. only valid with --https flag"},
    {"encoding, enc", String, "output format encoding [text, json]", "text"},
    {"timeout, t", Int, "number of seconds to wait before timing out a request", "0"},
    {"debug, d", Bool, "set debug log level"},
    {"basic-auth", String,
     "<username>[:<password>] specify BasicAuth credentials for server that\n"
     "requires authorization. implies --https, which you can disable with --force-http",
     "", "CLUSTER_CREDENTIALS"},
    {"force-http, f", Bool, "force HTTP. only valid when using BasicAuth"},
};

constexpr FlagSpec kAddFlags[] = {
    {"recursive, r", Bool, "Add directory paths recursively"},
    {"quiet, q", Bool, "Write only hashes to output (one per line)"},
    {"quieter, Q", Bool, "Write only final hash to output"},
    {"no-stream", Bool, "Buffer output locally. Produces a valid JSON array with --enc=json."},
    {"local", Bool, "Add to local peer but pin normally"},
    {"name, n", String, "Sets a name for this pin"},
    {"replication-min, rmin", Int, "Sets the minimum replication factor for pinning this file",
     "0"},
    {"replication-max, rmax", Int, "Sets the maximum replication factor for pinning this file",
     "0"},
    {"expire-in", String, "Duration after which the pin should be unpinned automatically"},
    {"metadata", StringList, "Pin metadata: key=value. Can be added multiple times"},
    {"allocations, allocs", String, "Optional comma-separated list of peer IDs"},
    {"no-pin", Bool, "Do not pin after adding"},
    {"wait", Bool, kWaitUsage},
    kWaitTimeoutFlag,
    {"wrap-with-directory, w", Bool, "Wrap a with a directory object"},
    {"format", String, "'unixfs' (add as unixfs DAG), 'car' (import CAR file)", "unixfs"},
    {"layout", String, "Dag layout to use for dag generation: balanced or trickle"},
    {"hidden, H", Bool, "Include files that are hidden.  Only takes effect on recursive add"},
    {"chunker, s", String, "'size-<size>' or 'rabin-<min>-<avg>-<max>'", "size-262144"},
    {"raw-leaves", Bool, "Use raw blocks for leaves (experimental)"},
    {"cid-version", Int, "CID version. Non default implies raw-leaves", "0"},
    {"hash", String, "Hash function to use. Implies cid-version=1", "sha2-256"},
    {"nocopy", Bool, "Add the URL using filestore. Implies raw-leaves. (experimental)"},
    {"no-progress", Bool, "Do not draw a progress bar on a terminal", "", "", true},
};

constexpr FlagSpec kPinAddFlags[] = {
    {"replication, r", Int, "Sets a custom replication factor (overrides -rmax and -rmin)", "0"},
    {"replication-min, rmin", Int, "Sets the minimum replication factor for this pin", "0"},
    {"replication-max, rmax", Int, "Sets the maximum replication factor for this pin", "0"},
    {"allocations, allocs", String, "Optional comma-separated list of peer IDs"},
    {"name, n", String, "Sets a name for this pin"},
    {"mode", String, "Select a way to pin: recursive or direct", "recursive"},
    {"expire-in", String, "Duration after which pin should be unpinned automatically"},
    {"metadata", StringList, "Pin metadata: key=value. Can be added multiple times"},
    {"no-status, ns", Bool, "Prevents fetching pin status after pinning (faster, quieter)"},
    kWaitFlag,
    kWaitLimitFlag,
    kWaitTimeoutFlag,
};

constexpr FlagSpec kPinRmFlags[] = {
    {"no-status, ns", Bool, "Prevents fetching pin status after unpinning (faster, quieter)"},
    kWaitFlag,
    kWaitLimitFlag,
    kWaitTimeoutFlag,
};

constexpr FlagSpec kPinUpdateFlags[] = {
    {"name, n", String, "Sets a name for this updated pin"},
    {"expire-in", String,
     "Duration after which the pin should be unpinned automatically after updating"},
    {"no-status, ns", Bool, "Prevents fetching pin status after updating (faster, quieter)"},
    kWaitFlag,
    kWaitLimitFlag,
    kWaitTimeoutFlag,
};

constexpr FlagSpec kPinLsFlags[] = {
    {"filter", String, "Comma separated list of pin types. See help above.", "all"},
};

constexpr FlagSpec kStatusFlags[] = {
    kLocalFlag,
    {"filter", String, "comma-separated list of filters"},
    {"watch", Bool, "Show it again every two seconds until nothing is queued or in progress", "",
     "", true},
    {"verbose, v", Bool, "Tell why, when again and how far, for the contacted peer", "", "", true},
};

constexpr FlagSpec kLocalFlags[] = {kLocalFlag};

constexpr FlagSpec kRebalanceFlags[] = {
    {"dry-run", Bool, "Show what would move"},
    {"start", Bool, "Begin to move pins"},
    {"stop", Bool, "Begin no more moves"},
};

constexpr FlagSpec kCompactFlags[] = {
    {"plan", Bool, "Only show what would be done"},
    {"without", String, "Comma-separated list of peers (ID or name) that are gone for good"},
    {"force, f", Bool, "Skip the confirmation prompt"},
    {"no-wait", Bool, "Return when it has begun"},
    {"status", Bool, "Only show how far one is, or what became of the last one"},
};

constexpr FlagSpec kDrainFlags[] = {
    {"wait, w", Bool, "Wait until no pin needs the peer any more"},
};

constexpr FlagSpec kGraphFlags[] = {
    {"file, f", String, "sets an output dot-file for the connectivity graph"},
    {"all-ipfs-peers", Bool,
     "causes the graph to mark nodes for ipfs peers not directly in the cluster"},
};

constexpr FlagSpec kHelpFlag{"help, h", Bool, "show help"};
constexpr FlagSpec kVersionFlag{"version, v", Bool, "print the version"};

}  // namespace

std::span<const FlagSpec> global_flags() {
  return kGlobalFlags;
}
std::string_view program_description() {
  return text::kProgram;
}
const FlagSpec& help_flag() {
  return kHelpFlag;
}
const FlagSpec& version_flag() {
  return kVersionFlag;
}

std::span<const CommandSpec> command_table() {
  static const CommandSpec kRecover{.name = "recover",
                                    .usage = "Recover tracked items in error state",
                                    .description = text::kRecover,
                                    .args_usage = "[CID]",
                                    .flags = kLocalFlags,
                                    .handler = run_recover};
  static const CommandSpec kPeers[] = {
      {.name = "ls",
       .usage = "list the nodes participating in the IPFS Cluster",
       .description = text::kPeersLs,
       .args_usage = " ",
       .handler = run_peers_ls},
      {.name = "rm",
       .usage = "remove a peer from the Cluster",
       .description = text::kPeersRm,
       .args_usage = "<peer ID>",
       .handler = run_peers_rm},
      {.name = "drain",
       .usage = "move all pins of a peer elsewhere, then say when it is safe to remove it",
       .description = text::kPeersDrain,
       .args_usage = "<peer ID|name>",
       .flags = kDrainFlags,
       .handler = run_peers_drain,
       .extra = true},
      {.name = "cordon",
       .usage = "give a peer no new pins",
       .description = text::kPeersCordon,
       .args_usage = "<peer ID|name>",
       .handler = run_peers_cordon,
       .extra = true},
      {.name = "uncordon",
       .usage = "end a cordon or a drain",
       .description = text::kPeersUncordon,
       .args_usage = "<peer ID|name>",
       .handler = run_peers_uncordon,
       .extra = true},
  };
  static const CommandSpec kRepin[] = {
      {.name = "status",
       .usage = "show lost peers and what was done about them",
       .description = text::kRepinStatus,
       .args_usage = " ",
       .handler = run_repin_status},
      {.name = "plan",
       .usage = "list the pins that lost peers leave below their minimum, and where they would go",
       .description = text::kRepinPlan,
       .args_usage = " ",
       .handler = run_repin_plan},
  };
  static const CommandSpec kState[] = {
      {.name = "compact",
       .usage = "make the history of the pinset short, on all peers while they run",
       .description = text::kStateCompact,
       .args_usage = " ",
       .flags = kCompactFlags,
       .handler = run_state_compact},
  };
  // The users' guide says `pin recover`, which the reference does not have.
  static const CommandSpec kPinRecover = [] {
    CommandSpec spec = kRecover;
    spec.extra = true;
    return spec;
  }();
  static const CommandSpec kPin[] = {
      {.name = "add",
       .usage = "Pin an item in the cluster",
       .description = text::kPinAdd,
       .args_usage = "<CID|Path>",
       .flags = kPinAddFlags,
       .handler = run_pin_add},
      {.name = "rm",
       .usage = "Unpin an item from the cluster",
       .description = text::kPinRm,
       .args_usage = "<CID|Path>",
       .flags = kPinRmFlags,
       .handler = run_pin_rm},
      {.name = "update",
       .usage = "Pin a new item based on an existing one",
       .description = text::kPinUpdate,
       .args_usage = "<existing-CID> <new-CID|Path>",
       .flags = kPinUpdateFlags,
       .handler = run_pin_update},
      {.name = "ls",
       .usage = "List items in the cluster pinset",
       .description = text::kPinLs,
       .args_usage = "[CID]",
       .flags = kPinLsFlags,
       .handler = run_pin_ls},
      kPinRecover,
  };
  static const CommandSpec kHealth[] = {
      {.name = "graph",
       .usage = "create a graph displaying connectivity of cluster peers",
       .description = text::kHealthGraph,
       .flags = kGraphFlags,
       .handler = run_health_graph},
      {.name = "metrics",
       .usage = "List latest metrics logged by this peer",
       .description = text::kHealthMetrics,
       .args_usage = "<metric name>",
       .handler = run_health_metrics},
      {.name = "alerts",
       .usage = "List the latest expired metric alerts",
       .description = text::kHealthAlerts,
       .handler = run_health_alerts},
      {.name = "bandwidth",
       .usage = "Lists bandwidth stats for libp2p protocols",
       .description = text::kHealthBandwidth,
       .handler = run_health_bandwidth},
      {.name = "digest",
       .usage = "Compare the pinset of this peer with those of the others",
       .description = text::kHealthDigest,
       .handler = run_health_digest,
       .extra = true},
  };
  static const CommandSpec kIpfs[] = {
      {.name = "gc",
       .usage = "run garbage collection on IPFS repos of cluster peers",
       .description = text::kIpfsGc,
       .flags = kLocalFlags,
       .handler = run_ipfs_gc},
  };
  static const CommandSpec kCommands[] = {
      {.name = "id",
       .usage = "Retrieve peer information",
       .description = text::kId,
       .handler = run_id},
      {.name = "peers",
       .usage = "List and manage IPFS Cluster peers",
       .description = "List and manage IPFS Cluster peers",
       .subcommands = kPeers},
      {.name = "add",
       .usage = "Add a file or directory to ipfs and pin it in the cluster",
       .description = text::kAdd,
       .args_usage = "<path>",
       .flags = kAddFlags,
       .handler = run_add},
      {.name = "pin",
       .usage = "Pin and unpin and list items in IPFS Cluster",
       .description = "Pin and unpin and list items in IPFS Cluster",
       .subcommands = kPin},
      {.name = "status",
       .usage = "Retrieve the status of tracked items",
       .description = text::kStatus,
       .args_usage = "[CID1] [CID2]...",
       .flags = kStatusFlags,
       .handler = run_status},
      kRecover,
      {.name = "version",
       .usage = "Retrieve cluster version",
       .description = text::kVersion,
       .args_usage = " ",
       .handler = run_version},
      {.name = "health",
       .usage = "Cluster monitoring information",
       .description = "Cluster monitoring information",
       .subcommands = kHealth,
       .handler = run_health},
      {.name = "ipfs",
       .usage = "Manage IPFS daemon",
       .description = "Manage IPFS daemon",
       .subcommands = kIpfs},
      {.name = "repin",
       .usage = "Copies of pins that lost peers held",
       .description = "Copies of pins that lost peers held",
       .subcommands = kRepin,
       .extra = true},
      {.name = "rebalance",
       .usage = "Even out the use of disks",
       .description = text::kRebalance,
       .args_usage = " ",
       .flags = kRebalanceFlags,
       .handler = run_rebalance,
       .extra = true},
      {.name = "state",
       .usage = "The pinset as it is stored",
       .description = "The pinset as it is stored",
       .subcommands = kState,
       .extra = true},
      {.name = "commands",
       .usage = "List all commands",
       .args_usage = " ",
       .handler = run_commands,
       .hidden = true},
      {.name = "completion",
       .usage = "Print the completion script of a shell",
       .description = text::kCompletion,
       .args_usage = "bash|zsh|fish",
       .handler = run_completion,
       .extra = true,
       .offline = true},
      {.name = "man",
       .usage = "Print the manual page",
       .description = text::kManual,
       .args_usage = " ",
       .handler = run_manual,
       .extra = true,
       .offline = true},
  };
  return kCommands;
}

const CommandSpec* find_command(std::span<const CommandSpec> commands, std::string_view name) {
  for (const CommandSpec& command : commands) {
    if (command.name == name) {
      return &command;
    }
  }
  return nullptr;
}

}  // namespace ica::ctl
