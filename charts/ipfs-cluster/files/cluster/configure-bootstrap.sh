#!/bin/sh
# Writes the addresses of the other pods into the peerstore, with the IDs that they tell. It helps a first contact and
# peers that cannot dial a name without an ID. It never fails and never waits longer than its budget: the peer keeps
# looking for the others by itself.
set -u
umask 077

say() { echo "configure-bootstrap: $*"; }

# main: a function, so that nothing in here ends the pod's start.
main() {
  if [ "${BOOTSTRAP_ENABLED:-true}" != true ]; then
    say "bootstrap is off: nothing to do"
    return
  fi
  folder=${IPFS_CLUSTER_PATH:-/data/ipfs-cluster}
  ordinal=${POD_NAME##*-}
  name=${POD_NAME%-*}
  replicas=$(cat "${BOOTSTRAP_REPLICAS_FILE:-/scripts/replicas}" 2>/dev/null)
  case $replicas in '' | *[!0-9]*) replicas=1 ;; esac
  budget=${BOOTSTRAP_BUDGET:-20}
  protocol=${BOOTSTRAP_PROTOCOL:-dns4}
  scheme=http
  [ -z "${CLUSTER_RESTAPI_SSLCERTFILE:-}" ] || scheme=https
  # The first user of user:password,user2:password2
  login=
  if [ -n "${CLUSTER_RESTAPI_BASICAUTHCREDENTIALS:-}" ]; then
    login=${CLUSTER_RESTAPI_BASICAUTHCREDENTIALS%%,*}@
  fi
  if [ "$replicas" -le 1 ]; then
    say "one replica: no other pod to ask"
    return
  fi
  found=$(mktemp -d) || { say "no temporary folder: nothing found"; return; }

  begin=$(date +%s)
  round=0
  while :; do
    round=$((round + 1))
    ask_all
    wait
    count=$(cat "$found"/*.addr 2>/dev/null | wc -l)
    spent=$(($(date +%s) - begin))
    if [ "$count" -gt 0 ]; then
      break
    fi
    # Pod 0 of a new release is the first one of all: it has nobody to wait for.
    if [ "$ordinal" = 0 ]; then
      say "ordinal 0: nobody answers, and nobody is waited for"
      break
    fi
    if [ "$spent" -ge "$budget" ]; then
      say "nobody answered within ${budget} s: the peer will look for the others by itself"
      break
    fi
    sleep 1
  done
  merge
  rm -rf "$found"
  say "$count of $((replicas - 1)) other pods answered after $spent s"
}

# Asks every other pod at once.
ask_all() {
  k=0
  while [ "$k" -lt "$replicas" ]; do
    if [ "$k" != "$ordinal" ] && [ ! -s "$found/$k.addr" ]; then
      ask "$k" &
    fi
    k=$((k + 1))
  done
}

ask() {
  host=$name-$1.$BOOTSTRAP_DOMAIN
  timeout 3 wget -q -O "$found/$1.json" $insecure "$scheme://$login$host:9094/id" 2>/dev/null </dev/null || return 0
  # The first "id" of the answer is the peer's; that of its Kubo comes later.
  id=$(sed 's/[,{]/\n/g' "$found/$1.json" | sed -n 's/^[[:space:]]*"id"[[:space:]]*:[[:space:]]*"\([A-Za-z0-9]*\)".*/\1/p' | head -n 1)
  case $id in
    12D3Koo* | Qm*)
      echo "/$protocol/$host/tcp/9096/p2p/$id" >"$found/$1.addr"
      say "$name-$1 has the ID $id"
      ;;
    *) say "$name-$1 gave an answer without an ID" ;;
  esac
}

# The peerstore with the new addresses, and without older ones of the same names: one whose volume was lost has a new ID.
merge() {
  store=$folder/peerstore
  cat "$found"/*.addr >"$found/new" 2>/dev/null
  [ -s "$found/new" ] || return 0
  touch "$store" || return 0
  sed 's|/p2p/.*|/p2p/|' "$found/new" >"$found/names"
  grep -vF -f "$found/names" "$store" >"$found/kept"
  cat "$found/kept" "$found/new" >"$store.new" && mv "$store.new" "$store"
}

# The certificate has the name of the service, not of the pod.
insecure=
[ -z "${CLUSTER_RESTAPI_SSLCERTFILE:-}" ] || insecure=--no-check-certificate
main
exit 0
