#!/bin/sh
# test-release.sh: what `helm test` runs.
set -eu
login=
[ -z "${CLUSTER_RESTAPI_BASICAUTHCREDENTIALS:-}" ] || login="--basic-auth ${CLUSTER_RESTAPI_BASICAUTHCREDENTIALS%%,*}"
[ -z "${CLUSTER_RESTAPI_SSLCERTFILE:-}" ] || login="$login --https --no-check-certificate"
ctl() {
  k=$1
  shift
  ipfs-cluster-ctl --host "/$TEST_PROTOCOL/$TEST_NAME-$k.$TEST_DOMAIN/tcp/9094" $login "$@"
}
end=$(($(date +%s) + 120))
within() { # WHAT COMMAND...
  what=$1
  shift
  until "$@"; do
    [ "$(date +%s)" -lt "$end" ] || { echo "test: failed: $what" >&2; exit 1; }
    sleep 1
  done
  echo "test: ok: $what"
}

all_seen() { # K
  ctl "$1" peers ls >/tmp/peers 2>/dev/null || return 1
  [ "$(grep -c 'Sees' /tmp/peers)" -ge "$TEST_REPLICAS" ]
}
k=0
while [ "$k" -lt "$TEST_REPLICAS" ]; do
  within "peer $k sees $TEST_REPLICAS peers" all_seen "$k"
  k=$((k + 1))
done

date >/tmp/file
cid=$(ctl 0 add --quieter --name helm-test /tmp/file)
pinned() { ctl 0 status "$cid" | grep -q ': PINNED'; }
within "a file added at peer 0 is pinned" pinned
if [ "$TEST_REPLICAS" -gt 1 ]; then
  listed() { ctl 1 pin ls "$cid" | grep -q "$cid"; }
  within "peer 1 knows of it" listed
fi
ctl 0 pin rm "$cid" >/dev/null
gone() { ! ctl 0 pin ls "$cid" 2>/dev/null | grep -q "$cid"; }
within "it can be removed" gone

if [ "$TEST_METRICS" = true ]; then
  scraped() { wget -q -O - "http://$TEST_NAME-0.$TEST_DOMAIN:8888/metrics" | grep -q 'pins'; }
  within "metrics are served" scraped
fi
