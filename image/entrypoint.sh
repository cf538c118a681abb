#!/bin/sh
# Makes a configuration where there is none, and runs the peer: `docker run IMAGE [daemon [flags]]`.
set -e
if [ ! -s "$IPFS_CLUSTER_PATH/service.json" ]; then
  ipfs-cluster-service init --consensus "${IPFS_CLUSTER_CONSENSUS:-crdt}" --datastore "${IPFS_CLUSTER_DATASTORE:-pebble}"
fi
exec ipfs-cluster-service "$@"
