#!/bin/sh
# go-probe.sh alive|ready: what the probes ask of ipfs-cluster-service, which has no health command of its own.
set -eu
case ${1:-} in
  alive) ipfs-cluster-ctl --enc=json id >/dev/null ;;
  ready)
    # "ipfs" has an "error" of its own while Kubo does not answer.
    answer=$(ipfs-cluster-ctl --enc=json id)
    printf %s "$answer" | tr -d '[:space:]' | grep -q '"ipfs":{.*"error":""' || { echo "the IPFS daemon does not answer"; exit 1; }
    ;;
  *) echo "usage: go-probe.sh alive|ready" >&2; exit 2 ;;
esac
