#!/bin/sh
# Settings of Kubo from the pod's variables, at every start: Kubo itself reads most of its settings only when it makes
# its repository.
set -e
set_json() { # KEY JSON: only when it differs, since each write is a new file
  current=$(ipfs config "$1" 2>/dev/null | tr -d '[:space:]') || current=
  wanted=$(printf %s "$2" | sed 's/^"\(.*\)"$/\1/' | tr -d '[:space:]')
  [ "$current" = "$wanted" ] || ipfs config --json "$1" "$2"
}

set_json Addresses.API '"/ip4/0.0.0.0/tcp/5001"'
set_json Addresses.Gateway '"/ip4/0.0.0.0/tcp/8080"'
[ -z "${IPFS_STORAGE_MAX:-}" ] || set_json Datastore.StorageMax "\"$IPFS_STORAGE_MAX\""
[ -z "${IPFS_SWARM_CONNMGR_HIGHWATER:-}" ] || set_json Swarm.ConnMgr.HighWater "$IPFS_SWARM_CONNMGR_HIGHWATER"
[ -z "${IPFS_SWARM_CONNMGR_LOWWATER:-}" ] || set_json Swarm.ConnMgr.LowWater "$IPFS_SWARM_CONNMGR_LOWWATER"
if [ "${IPFS_ENABLE_EXPERIMENTAL_FEATURES:-}" = true ]; then
  set_json Experimental.FilestoreEnabled true
  set_json Experimental.UrlstoreEnabled true
  set_json Experimental.Libp2pStreamMounting true
  set_json Experimental.P2pHttpProxy true
fi
# Kubo asks only few of its connected peers for a block, and the Kubos of the other pods may not be among them: without
# the public DHT they would then not find each other's content at all, and with it late.
if [ "${IPFS_BITSWAP_BROADCAST:-false}" = true ]; then
  set_json Internal.Bitswap.BroadcastControl.Enable false
fi
# The peers connect their Kubos with each other. Kubos (0.43) that found each other by multicast while one started were
# seen connected without ever asking each other for a block.
if [ "${IPFS_MDNS:-false}" = true ]; then
  set_json Discovery.MDNS.Enabled true
else
  set_json Discovery.MDNS.Enabled false
fi
if [ -n "${IPFS_ANNOUNCE:-}" ]; then
  set_json Addresses.AppendAnnounce "[\"$(printf %s "$IPFS_ANNOUNCE" | sed 's/,/","/g')\"]"
fi
echo "settings: done"
