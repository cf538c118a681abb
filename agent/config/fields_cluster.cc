#include "agent/config/field.h"

namespace ica::config {
namespace {

constexpr Field kCluster[] = {
    {.key = "peername",
     .ref = ICA_REF(cluster.peername),
     .meaning = "Name for people, shown in ids, statuses and graphs. Default: the host's name."},
    {.key = "secret",
     .ref = ICA_REF_AS(HexSecret, cluster.secret),
     .absent = Absent::Zero,
     .meaning =
         "Pre-shared key of the cluster's private network, 32 bytes as 64 hex digits; made by "
         "`init`. All peers need the same one. Empty: the network is open to everybody.",
     .secret = true},
    {.key = "secret_old",
     .ref = ICA_REF_AS(HexSecret, cluster.secret_old),
     .absent = Absent::Zero,
     .write = Write::UnlessDefault,
     .meaning =
         "A second secret that is accepted from other agents while `secret` is exchanged, never "
         "used for dialling; read again on SIGHUP. The reference knows one secret only.",
     .secret = true,
     .ours = true},
    {.key = "leave_on_shutdown",
     .ref = ICA_REF(cluster.leave_on_shutdown),
     .absent = Absent::Zero,
     .meaning = "Tell the consensus on shutdown that this peer leaves. CRDT clusters ignore it."},
    {.key = "listen_multiaddress",
     .ref = ICA_REF(cluster.listen_multiaddress),
     .absent = Absent::Zero,
     .check = Check::NotEmpty,
     .complaint = "cluster.listen_multiaddress is empty",
     .meaning =
         "Where other peers reach this one. A string or a list. Private networks use TCP only; "
         "a QUIC address is accepted and not used."},
    {.key = "announce_multiaddress",
     .ref = ICA_REF(cluster.announce_multiaddress),
     .absent = Absent::Zero,
     .meaning = "Addresses to tell other peers instead of the ones we listen on; for NAT and "
                "load balancers."},
    {.key = "no_announce_multiaddress",
     .ref = ICA_REF(cluster.no_announce_multiaddress),
     .absent = Absent::Zero,
     .meaning = "Addresses never told to other peers."},
    {.key = "enable_relay_hop",
     .ref = ICA_REF(cluster.enable_relay_hop),
     .absent = Absent::Zero,
     .meaning = "Act as a relay for peers that cannot reach each other. Accepted and not used."},
    {.key = "connection_manager.high_water",
     .ref = ICA_REF(cluster.connection_manager.high_water),
     .absent = Absent::Zero,
     .check = Check::Positive,
     .complaint = "cluster.connection_manager.high_water is invalid",
     .meaning = "With more connections than this, the least useful ones are closed."},
    {.key = "connection_manager.low_water",
     .ref = ICA_REF(cluster.connection_manager.low_water),
     .absent = Absent::Zero,
     .check = Check::Positive,
     .complaint = "cluster.connection_manager.low_water is invalid",
     .meaning = "Connections left after closing some. Not above high_water."},
    {.key = "connection_manager.grace_period",
     .ref = ICA_REF(cluster.connection_manager.grace_period),
     .check = Check::NotZero,
     .complaint = "cluster.connection_manager.grace_period is invalid",
     .meaning = "A connection younger than this is not closed."},
    {.key = "resource_manager.enabled",
     .ref = ICA_REF(cluster.resource_manager.enabled),
     .absent = Absent::Zero,
     .meaning = "Limits of streams and connections per peer. Accepted; our limits are always on."},
    {.key = "resource_manager.memory_limit_bytes",
     .ref = ICA_REF(cluster.resource_manager.memory_limit_bytes),
     .absent = Absent::Zero,
     .meaning = "Bytes; 0: chosen from the machine's memory."},
    {.key = "resource_manager.file_descriptors_limit",
     .ref = ICA_REF(cluster.resource_manager.file_descriptors_limit),
     .absent = Absent::Zero,
     .meaning = "Open files for connections; 0: chosen from the process's limit."},
    {.key = "pubsub.seen_messages_ttl",
     .ref = ICA_REF(cluster.pubsub.seen_messages_ttl),
     .check = Check::Positive,
     .complaint = "cluster.pubsub.seen_message_ttl is invalid",
     .meaning =
         "How long a gossip message is remembered, so that a repeated one is dropped. Longer "
         "costs memory, shorter costs traffic."},
    {.key = "pubsub.heartbeat_interval",
     .ref = ICA_REF(cluster.pubsub.heartbeat_interval),
     .check = Check::Positive,
     .complaint = "cluster.pubsub.heartbeat_interval is invalid",
     .meaning =
         "How often the gossip mesh is looked after. A lost message is repaired after one or two "
         "of these."},
    {.key = "pubsub.d_factor",
     .ref = ICA_REF(cluster.pubsub.d_factor),
     .absent = Absent::Zero,
     .check = Check::Positive,
     .complaint = "cluster.pubsub.d_factor is invalid",
     .meaning = "Multiplies the mesh degrees of gossipsub (6, between 5 and 12, for the factor 1). "
                "Higher: fewer hops, more copies of each message."},
    {.key = "pubsub.history_gossip",
     .ref = ICA_REF(cluster.pubsub.history_gossip),
     .absent = Absent::Zero,
     .check = Check::Positive,
     .complaint = "cluster.pubsub.history_gossip is invalid",
     .meaning = "Heartbeats for which a message is offered to peers outside of the mesh."},
    {.key = "pubsub.history_length",
     .ref = ICA_REF(cluster.pubsub.history_length),
     .absent = Absent::Zero,
     .check = Check::Positive,
     .complaint = "cluster.pubsub.history_length is invalid",
     .meaning = "Heartbeats for which a message is kept for peers that ask for it."},
    {.key = "pubsub.flood_publish",
     .ref = ICA_REF(cluster.pubsub.flood_publish),
     .absent = Absent::Zero,
     .meaning = "Send own messages to all known peers of the topic instead of to the mesh only."},
    {.key = "dial_peer_timeout",
     .ref = ICA_REF(cluster.dial_peer_timeout),
     .check = Check::Positive,
     .complaint = "cluster.dial_peer_timeout is invalid",
     .meaning = "Limit for opening a connection to a peer."},
    {.key = "state_sync_interval",
     .ref = ICA_REF(cluster.state_sync_interval),
     .check = Check::Positive,
     .complaint = "cluster.state_sync_interval is invalid",
     .meaning = "How often pins whose time is over are looked for."},
    {.key = "pin_recover_interval",
     .ref = ICA_REF(cluster.pin_recover_interval),
     .check = Check::Positive,
     .complaint = "cluster.pin_recover_interval is invalid",
     .meaning =
         "How often failed or missing pins are tried again; also once right after the start."},
    {.key = "replication_factor_min",
     .ref = ICA_REF(cluster.replication_factor_min),
     .meaning =
         "Copies without which a pin is refused, for pins that do not say. -1: on every peer."},
    {.key = "replication_factor_max",
     .ref = ICA_REF(cluster.replication_factor_max),
     .meaning = "Copies wished for, for pins that do not say. -1: on every peer."},
    {.key = "monitor_ping_interval",
     .ref = ICA_REF(cluster.monitor_ping_interval),
     .check = Check::Positive,
     .complaint = "cluster.monitoring_interval is invalid",
     .meaning = "How often this peer says that it is alive. Others miss it after twice this time."},
    {.key = "peer_watch_interval",
     .ref = ICA_REF(cluster.peer_watch_interval),
     .check = Check::Positive,
     .complaint = "cluster.peer_watch_interval is invalid",
     .meaning = "How often changes in the set of peers are looked for."},
    {.key = "mdns_interval",
     .ref = ICA_REF(cluster.mdns_interval),
     .check = Check::NotNegative,
     .complaint = "cluster.mdns_interval is invalid",
     .meaning = "Other peers are looked for on the local network by mDNS; 0 turns it off."},
    {.key = "pin_only_on_trusted_peers",
     .ref = ICA_REF(cluster.pin_only_on_trusted_peers),
     .absent = Absent::Zero,
     .meaning = "Allocate pins to trusted peers only."},
    {.key = "pin_only_on_untrusted_peers",
     .ref = ICA_REF(cluster.pin_only_on_untrusted_peers),
     .absent = Absent::Zero,
     .meaning =
         "Allocate pins to peers that are not trusted only. Not together with the one above."},
    {.key = "disable_repinning",
     .ref = ICA_REF(cluster.disable_repinning),
     .absent = Absent::Zero,
     .meaning =
         "Do not give the pins of a peer that is gone to other peers. The reference writes true; "
         "`init` of this agent writes false, and a file that says true is obeyed."},
    {.key = "follower_mode",
     .ref = ICA_REF(cluster.follower_mode),
     .absent = Absent::Zero,
     .write = Write::UnlessDefault,
     .meaning = "Refuse to change the pinset, and answer for this peer only."},
    {.key = "peerstore_file",
     .ref = ICA_REF(cluster.peerstore_file),
     .write = Write::UnlessDefault,
     .meaning = "File of known peer addresses, one a line, in the configuration folder."},
    {.key = "peer_addresses",
     .ref = ICA_REF_AS(AddressArray, cluster.peer_addresses),
     .absent = Absent::Zero,
     .meaning = "Addresses of peers that are tried first, with /p2p/ and their ID."},
};

Status check_cluster(const Config& c) {
  const auto& s = c.cluster;
  if (s.connection_manager.low_water > s.connection_manager.high_water) {
    return fail(Code::InvalidArgument,
                "cluster.connection_manager.low_water is greater than high_water");
  }
  if (s.pin_only_on_trusted_peers && s.pin_only_on_untrusted_peers) {
    return fail(
        Code::InvalidArgument,
        "cluster.pin_only_on_trusted_peers and pin_only_on_untrusted_peers cannot both be true");
  }
  const int min = s.replication_factor_min;
  const int max = s.replication_factor_max;
  if (min == 0 || max == 0) {
    return fail(Code::InvalidArgument, "cluster.replication_factor_min and max must be set");
  }
  if (min > max) {
    return fail(Code::InvalidArgument, "cluster.replication_factor_min is larger than max");
  }
  if (min < -1) {
    return fail(Code::InvalidArgument, "cluster.replication_factor_min is wrong");
  }
  if (max < -1) {
    return fail(Code::InvalidArgument, "cluster.replication_factor_max is wrong");
  }
  if ((min == -1) != (max == -1)) {
    return fail(Code::InvalidArgument,
                "cluster.replication_factor_min and max must be -1 when one of them is");
  }
  return {};
}

constexpr Field kCrdt[] = {
    {.key = "cluster_name",
     .ref = ICA_REF(crdt.cluster_name),
     .check = Check::NotEmpty,
     .complaint = "crdt.cluster_name cannot be empty",
     .meaning = "Name of the gossip topic on which changes are announced. The same on all peers."},
    {.key = "trusted_peers",
     .ref = ICA_REF(crdt.trusted_peers),
     .absent = Absent::Zero,
     .meaning =
         "IDs of the peers whose changes and requests are accepted. \"*\": everybody who has the "
         "secret. This peer itself always is."},
    {.key = "batching.max_batch_size",
     .ref = ICA_REF(crdt.batching.max_batch_size),
     .absent = Absent::Zero,
     .check = Check::NotNegative,
     .complaint = "crdt.batching.max_batch_size is invalid",
     .meaning =
         "Changes in one batch. Changes that arrive while a commit is under way are batched by "
         "themselves; with both batching values set, a commit waits for this many."},
    {.key = "batching.max_batch_age",
     .ref = ICA_REF(crdt.batching.max_batch_age),
     .check = Check::NotNegative,
     .complaint = "crdt.batching.max_batch_age is invalid",
     .meaning = "Longest wait for a batch to fill."},
    {.key = "batching.max_queue_size",
     .ref = ICA_REF(crdt.batching.max_queue_size),
     .write = Write::UnlessDefault,
     .check = Check::Positive,
     .complaint = "crdt.batching.max_queue_size is invalid",
     .meaning = "Changes that may wait for a commit; further ones are refused."},
    {.key = "repair_interval",
     .ref = ICA_REF(crdt.repair_interval),
     .check = Check::NotNegative,
     .complaint = "crdt.repair_interval is invalid",
     .meaning =
         "How often the reference looks for holes in its history. Ours has none: accepted and not "
         "used."},
    {.key = "rebroadcast_interval",
     .ref = ICA_REF(crdt.rebroadcast_interval),
     .write = Write::UnlessDefault,
     .check = Check::Positive,
     .complaint = "crdt.rebroadcast_interval is invalid",
     .meaning = "How often the newest state is announced when nothing changes."},
    {.key = "peerset_metric",
     .ref = ICA_REF(crdt.peerset_metric),
     .write = Write::UnlessDefault,
     .check = Check::NotEmpty,
     .complaint = "crdt.peerset_metric needs a name",
     .meaning = "Metric whose senders are the peers of the cluster."},
    {.key = "datastore_namespace",
     .ref = ICA_REF(crdt.datastore_namespace),
     .write = Write::UnlessDefault,
     .meaning = "Prefix of the keys in the reference's database. Kept for the way back."},
};

constexpr Section kSections[] = {
    {.group = "",
     .key = "cluster",
     .title = "The peer: name, network, replication, intervals",
     .fields = kCluster,
     .check = check_cluster},
    {.group = "consensus", .key = "crdt", .title = "The shared pinset", .fields = kCrdt},
};

}  // namespace

std::span<const Section> cluster_sections() {
  return kSections;
}

}  // namespace ica::config
