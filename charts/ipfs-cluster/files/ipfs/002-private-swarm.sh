#!/bin/sh
# A private swarm: the key beside the repository, and off with what would reach into the public network; a Kubo with a
# key refuses to start with those.
set -e
key=${IPFS_PATH:-/data/ipfs}/swarm.key
if [ "${IPFS_PRIVATE_SWARM:-false}" = true ]; then
  cp "${SWARM_KEY_FOLDER:-/swarm-key}/swarm.key" "$key.new"
  chmod 0400 "$key.new"
  mv -f "$key.new" "$key"
  ipfs config --json AutoConf.Enabled false
  ipfs config --json AutoTLS.Enabled false
  ipfs config Routing.Type dht
  # Addresses of the public network, also the word that stands for them.
  ipfs config --json Bootstrap "${IPFS_PRIVATE_BOOTSTRAP:-[]}"
  ipfs config --json DNS.Resolvers '{}'
  ipfs config --json Routing.DelegatedRouters '[]'
  ipfs config --json Ipns.DelegatedPublishers '[]'
  echo "private swarm: on"
elif [ -e "$key" ]; then
  echo "private swarm: $key is there although ipfs.privateSwarm is off; remove it to join the public network" >&2
fi
