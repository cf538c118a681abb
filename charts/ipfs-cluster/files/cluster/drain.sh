#!/bin/sh
# drain.sh: before the pods from ordinal DRAIN_FROM to DRAIN_TO - 1 go away, moves what they hold to the others and
# waits until it is pinned there. Fails when that does not come to pass in time; the upgrade then does not begin.
set -eu
say() { echo "drain: $*"; }
login=
[ -z "${CLUSTER_RESTAPI_BASICAUTHCREDENTIALS:-}" ] || login="--basic-auth ${CLUSTER_RESTAPI_BASICAUTHCREDENTIALS%%,*}"
[ -z "${CLUSTER_RESTAPI_SSLCERTFILE:-}" ] || login="$login --https --no-check-certificate"
ctl() { ipfs-cluster-ctl --host "/$DRAIN_PROTOCOL/$DRAIN_NAME-0.$DRAIN_DOMAIN/tcp/9094" $login "$@"; }
id_of() {
  ipfs-cluster-ctl --host "/$DRAIN_PROTOCOL/$DRAIN_NAME-$1.$DRAIN_DOMAIN/tcp/9094" $login --enc=json id |
    tr -d '[:space:]' | sed 's/[,{]/\n/g' | sed -n 's/^"id":"\([A-Za-z0-9]*\)".*/\1/p' | head -n 1
}

k=$DRAIN_FROM
while [ "$k" -lt "$DRAIN_TO" ]; do
  id=$(id_of "$k" || true)
  if [ -z "$id" ]; then
    say "$DRAIN_NAME-$k does not answer: what it holds is re-allocated when its peers miss it"
  else
    say "moving what $DRAIN_NAME-$k ($id) holds"
    # In CRDT mode this re-allocates, and then says that there is no list of peers to remove it from.
    ctl peers rm "$id" || true
  fi
  k=$((k + 1))
done

end=$(($(date +%s) + ${DRAIN_SECONDS:-3600}))
while :; do
  open=$(ctl status --filter pin_queued,pinning,pin_error --enc=json | grep -c '"cid"' || true)
  if [ "$open" -eq 0 ]; then
    break
  fi
  if [ "$(date +%s)" -ge "$end" ]; then
    say "$open pins are still on their way after ${DRAIN_SECONDS:-3600} s"
    exit 1
  fi
  say "$open pins are on their way"
  sleep 5
done
say "done: nothing waits for the pods $DRAIN_FROM to $((DRAIN_TO - 1))"
