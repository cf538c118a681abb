#!/bin/sh
# drain.sh drain|undrain: before the pods from ordinal DRAIN_FROM to DRAIN_TO - 1 go away, moves what they hold to the
# others and waits until it is there. Fails when that does not come to pass in time; the upgrade then does not begin.
# undrain: when pods with these ordinals come (back), they may get pins again; never fails.
set -eu
say() { echo "${what}: $*"; }
what=${1:?usage: drain.sh drain|undrain}
login=
[ -z "${CLUSTER_RESTAPI_BASICAUTHCREDENTIALS:-}" ] || login="--basic-auth ${CLUSTER_RESTAPI_BASICAUTHCREDENTIALS%%,*}"
[ -z "${CLUSTER_RESTAPI_SSLCERTFILE:-}" ] || login="$login --https --no-check-certificate"
end=$(($(date +%s) + ${DRAIN_SECONDS:-3600}))
left() { echo $((end - $(date +%s))); }
ctl_of() {
  ordinal=$1
  shift
  ipfs-cluster-ctl --host "/$DRAIN_PROTOCOL/$DRAIN_NAME-$ordinal.$DRAIN_DOMAIN/tcp/9094" $login "$@"
}
ctl() { ctl_of 0 "$@"; }
id_of() {
  ctl_of "$1" --enc=json id 2>/dev/null | tr -d '[:space:]' | sed 's/[,{]/\n/g' | sed -n 's/^"id":"\([A-Za-z0-9]*\)".*/\1/p' | head -n 1
}

if [ "$what" = undrain ]; then
  k=$DRAIN_FROM
  while [ "$k" -lt "$DRAIN_TO" ]; do
    id=$(id_of "$k" || true)
    while [ -z "$id" ] && [ "$(left)" -gt 0 ]; do
      sleep 2
      id=$(id_of "$k" || true)
    done
    if [ -n "$id" ] && ctl peers uncordon "$id"; then
      say "$DRAIN_NAME-$k may get pins"
    else
      say "$DRAIN_NAME-$k could not be told; if it was drained before: ipfs-cluster-ctl peers uncordon $DRAIN_NAME-$k"
    fi
    k=$((k + 1))
  done
  exit 0
fi

# IDs of the leaving peers that answer.
ids=
k=$DRAIN_FROM
while [ "$k" -lt "$DRAIN_TO" ]; do
  id=$(id_of "$k" || true)
  if [ -n "$id" ]; then
    ids="$ids $id"
  else
    say "$DRAIN_NAME-$k does not answer: what it holds is re-allocated when its peers miss it"
  fi
  k=$((k + 1))
done

if [ "${DRAIN_FLAVOR:-agent}" = agent ]; then
  # First none of them gets anything more, or they would hand their pins to each other.
  for id in $ids; do ctl peers cordon "$id"; done
  for id in $ids; do
    say "moving what $id holds"
    timeout "$(left)" ipfs-cluster-ctl --host "/$DRAIN_PROTOCOL/$DRAIN_NAME-0.$DRAIN_DOMAIN/tcp/9094" $login peers drain --wait "$id" || {
      say "$id still holds pins that nobody else has, after ${DRAIN_SECONDS:-3600} s"
      exit 1
    }
  done
else
  # In CRDT mode this re-allocates, and then says that there is no list of peers to remove it from.
  for id in $ids; do
    say "moving what $id holds"
    ctl peers rm "$id" || true
  done
fi

while :; do
  open=$(ctl status --filter pin_queued,pinning,pin_error --enc=json | grep -c '"cid"' || true)
  [ "$open" -gt 0 ] || break
  if [ "$(left)" -le 0 ]; then
    say "$open pins are still on their way after ${DRAIN_SECONDS:-3600} s"
    exit 1
  fi
  say "$open pins are on their way"
  sleep 5
done
say "done: nothing waits for the pods $DRAIN_FROM to $((DRAIN_TO - 1))"
