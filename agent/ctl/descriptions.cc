#include "agent/ctl/descriptions.h"

// Help texts of the reference, byte for byte (also their odd blanks): people and scripts compare
// them.
namespace ica::ctl::text {

const std::string_view kProgram = R"(
ipfs-cluster-ctl is a tool to manage IPFS Cluster nodes.

Use "ipfs-cluster-ctl help" to list all available commands and
"ipfs-cluster-ctl help <command>" to get usage information for a
specific one.

ipfs-cluster-ctl uses the IPFS Cluster API to perform requests and
display responses in a user-readable format. The location of the IPFS
Cluster server is assumed to be /ip4/127.0.0.1/tcp/9094, but can be configured
with the --host option. If several multiaddresses are specified 
(comma-separated), requests will be sent to the first one and fail-over 
over to the others. This also works for dns-based addresses which resolve
to multiple values.

To use the secure libp2p-http API endpoint, use "--host" with 
the full cluster libp2p listener address, including the "/p2p/<peerID>"
part, or a /dnsaddr that resolves to it. Provide the cluster secret with 
--secret as needed.

For feedback, bug reports or any additional information, visit
https://github.com/ipfs-cluster/ipfs-cluster.
)";

const std::string_view kId = R"(
This command displays information about the peer that the tool is contacting
(usually running in localhost).
)";

const std::string_view kAdd = R"(
Add allows to add and replicate content to several ipfs daemons, performing
a Cluster Pin operation on success. It takes elements from local paths as
well as from web URLs (accessed with a GET request). Providing several
arguments will automatically set --wrap-in-directory.

Cluster "add" works, by default, just like "ipfs add" and has similar options
in terms of DAG layout, chunker, hash function etc. It also supports adding
CAR files directly (--format car), as long as they have a single root. When
adding CAR files, all the options related to dag-building are ignored.

Added content will be allocated and sent block by block to the peers that
should pin it (among which may not necessarily be the local ipfs daemon).
Once all the blocks have arrived, they will be "cluster-pinned". This makes 
cluster add slower than a local ipfs add, but the result is a fully replicated
on completion. If you prefer faster adding, use the --local flag to add 
directly to the local IPFS node and pin in the destinations after that. 
Note that the local IPFS node may not be among the destinations, which will
leave the unpinned content in it.

Optional replication-min and replication-max factors can be provided: -1 means
"pin everywhere" and 0 means use cluster's default setting (i.e., replication
factor set in config). Positive values indicate how many peers should pin this
content.
)";

const std::string_view kStatus = R"(
This command retrieves the status of the CIDs tracked by IPFS
Cluster, including which member is pinning them and any errors.
If one of several CIDs are provided, the status will be only fetched 
for a single item.  Metadata CIDs are included in the status response.

When the --local flag is passed, it will only fetch the status from the
contacted cluster peer. By default, status will be fetched from all peers.

When the --filter flag is passed, it will only fetch the peer information
where status of the pin matches at least one of the filter values (a comma
separated list). The following are valid status values:

  - cluster_error
  - error
  - pin_error
  - pin_queued
  - pinned
  - pinning
  - queued
  - remote
  - sharded
  - unexpectedly_unpinned
  - unpin_error
  - unpin_queued
  - unpinned
  - unpinning)";

const std::string_view kRecover = R"(
This command asks Cluster peers to re-track or re-forget CIDs in
error state, usually because the IPFS pin or unpin operation has failed.

The command will wait for any operations to succeed and will return the status
of the item upon completion. Note that, when running on the full sets of tracked
CIDs (without argument), it may take a considerably long time.

When the --local flag is passed, it will only trigger recover
operations on the contacted peer (as opposed to on every peer).
)";

const std::string_view kVersion = R"(
This command retrieves the IPFS Cluster version and can be used
to check that it matches the CLI version (shown by -v).
)";

const std::string_view kPeersLs = R"(
This command provides a list of the ID information of all the peers in the Cluster.
)";

const std::string_view kPeersRm = R"(
This command removes a peer from the cluster. If the peer is online, it will
automatically shut down. All other cluster peers should be online for the
operation to succeed, otherwise some nodes may be left with an outdated list of
cluster peers.
)";

const std::string_view kPeersDrain = R"(
This command empties a peer: it gets no new pins, and each of its pins is first
added to another peer and taken away from it only when that peer holds it. It
can be given at any peer, goes on after restarts, and does not need the peer to
be online. With --wait it returns when no pin needs the peer any more. "peers
uncordon" takes it back.
)";

const std::string_view kPeersCordon = R"(
This command makes a peer get no new pins. What it holds stays there. It can be
given at any peer.
)";

const std::string_view kPeersUncordon = R"(
This command ends a cordon or a drain. Pins that were moved stay where they are.
)";

const std::string_view kRepinStatus = R"(
This command shows the peers that hold pins and are missing, since when, and
what the contacted peer has done so far about the pins that they leave below
their minimum number of copies. Absences that are over follow, if they were
longer than the grace.
)";

const std::string_view kRepinPlan = R"(
This command lists the pins that missing peers leave below their minimum number
of copies, and the peers that would hold them if they were placed now. It
changes nothing.
)";

const std::string_view kRebalance = R"(
This command moves pins from peers that are fuller than the others to those with
room, for instance after a peer has joined: each pin is first added to its new
peer and taken away from the old one when that peer holds it. The contacted peer
does it and goes on after a restart. Without a flag it shows how far it is.
)";

const std::string_view kStateCompact = R"(
This command begins the history of the pinset anew, on all peers of the cluster
and while they run: afterwards it is the shortest one that gives the same
pinset. Reads go on meanwhile, changes wait for a few seconds. When it cannot be
finished it is called off, and nothing has changed.

It shows what would be done, asks, and says what it does until it has ended. All
peers have to take part, because one that keeps the old history brings it back:
they run ipfs-cluster-agent, are trusted and connected, and have the same
pinset. Peers that are gone for good are left out with --without.

For peers that are stopped there is "ipfs-cluster-agent state compact".
)";

const std::string_view kPinAdd = R"(
This command tells IPFS Cluster to start managing a CID. Depending on
the pinning strategy, this will trigger IPFS pin requests. The CID will
become part of the Cluster's state and will tracked from this point.

When the request has succeeded, the command returns the status of the CID
in the cluster and should be part of the list offered by "pin ls".

An optional replication factor can be provided: -1 means "pin everywhere"
and 0 means use cluster's default setting (i.e., replication factor set in
config). Positive values indicate how many peers should pin this content.

An optional allocations argument can be provided, allocations should be a
comma-separated list of peer IDs on which we want to pin. Peers in allocations
are prioritized over automatically-determined ones, but replication factors
would still be respected.
)";

const std::string_view kPinRm = R"(
This command tells IPFS Cluster to no longer manage a CID. This will
trigger unpinning operations in all the IPFS nodes holding the content.

When the request has succeeded, the command returns the status of the CID
in the cluster. The CID should disappear from the list offered by "pin ls",
although unpinning operations in the cluster may take longer or fail.
)";

const std::string_view kPinUpdate = R"(
This command will add a new pin to the cluster taking all the options from an
existing one, including name. This means that the new pin will bypass the
allocation process and will be allocated to the same peers as the existing
one.

The cluster peers will try to Pin the new item on IPFS using the "pin update"
command. This is especially efficient when the content of two pins (their DAGs)
are similar.

Unlike the "pin update" command in the ipfs daemon, this will not unpin the
existing item from the cluster. Please run "pin rm" for that.
)";

const std::string_view kPinLs = R"(
This command will list the CIDs which are tracked by IPFS Cluster and to
which peers they are currently allocated. This list does not include
any monitoring information about the IPFS status of the CIDs, it
merely represents the list of pins which are part of the shared state of
the cluster. For IPFS-status information about the pins, use "status".

The filter only takes effect when listing all pins. The possible values are:
  - all (default)
  - pin (normal pins, recursive or direct)
  - meta-pin (sharded pins)
  - clusterdag-pin (sharding-dag root pins)
  - shard-pin (individual shard pins)
)";

const std::string_view kHealthGraph = R"(
This command queries all connected cluster peers and their ipfs peers to generate a
graph of the connections.  Output is a dot file encoding the cluster's connection state.
)";

const std::string_view kHealthMetrics = R"(
This commands displays the latest valid metrics of the given type logged
by this peer for all current cluster peers.

If no argument is provided, the command retrieves all currently existing metric types.

Currently supported metrics depend on the informer component used,
but usually are:

- freespace
- ping
)";

const std::string_view kHealthAlerts = R"(
This command provides a list of "alerts" that the cluster has seen.

An alert is triggered when one of the metrics seen for a peer expires, and no
new metrics have been received.

Different alerts may be handled in different ways. i.e. ping alerts may
trigger automatic repinnings if configured.
)";

const std::string_view kHealthDigest = R"(
This command shows a digest of the pinset of the peer, and of those peers that
tell it theirs (they run ipfs-cluster-agent). Peers with the same pinset show
the same digest. A peer with pending changes is still catching up.
)";

const std::string_view kHealthBandwidth = R"(
This command lists information about bytes sent, received and current bandwidth
rates for each libp2p protocol that the peer uses.
)";

const std::string_view kIpfsGc = R"(
This command will instruct current Cluster peers to run "repo gc" on their
respective IPFS daemons.

When --local flag is passed, it will garbage collect only on the local IPFS
daemon, otherwise on all IPFS daemons.
)";

const std::string_view kCompletion = R"(
Prints a script that completes commands and flags in a shell:

  bash:  source <(ipfs-cluster-ctl completion bash)
  zsh:   source <(ipfs-cluster-ctl completion zsh)
  fish:  ipfs-cluster-ctl completion fish | source
)";

const std::string_view kManual = R"(
Prints the manual page, which is made from the same table as the help:

  ipfs-cluster-ctl man > ipfs-cluster-ctl.1
  man ./ipfs-cluster-ctl.1
)";

}  // namespace ica::ctl::text
