#!/bin/sh
# Makes the peer's configuration and identity where there are none. What is on the volume stays as it is: the
# settings of the chart come as CLUSTER_* variables, which go before the file at every start.
set -eu
umask 077

say() { echo "init-cluster: $*"; }
die() { echo "init-cluster: $*" >&2; exit 1; }

folder=${IPFS_CLUSTER_PATH:-/data/ipfs-cluster}
identity=${IDENTITY_FOLDER:-/identity}
ordinal=${POD_NAME##*-}
mode=${IDENTITY_MODE:-persisted}

mkdir -p "$folder"
[ -w "$folder" ] || die "$folder is not writable for uid $(id -u): set fsGroup, or volumePermissions.enabled for volumes that ignore it"

# A line end after the digits is what most tools leave in a Secret.
CLUSTER_SECRET=$(printf %s "${CLUSTER_SECRET:-}" | tr -d '[:space:]')
case $CLUSTER_SECRET in
  *[!0-9a-fA-F]*) die "CLUSTER_SECRET has characters that are not hex digits" ;;
esac
[ ${#CLUSTER_SECRET} -eq 64 ] || die "CLUSTER_SECRET must be 64 hex digits, but has ${#CLUSTER_SECRET}"

# The value of "id" in an identity.json.
id_of() { sed -n 's/.*"id"[[:space:]]*:[[:space:]]*"\([^"]*\)".*/\1/p' "$1" | head -n 1; }

# adopt FILE: takes the given identity, and refuses to replace another one that is there.
adopt() {
  wanted=$(id_of "$1")
  [ -n "$wanted" ] || die "$1 has no id: it must be an identity.json"
  if [ -s "$folder/identity.json" ]; then
    present=$(id_of "$folder/identity.json")
    if [ "$present" != "$wanted" ]; then
      [ "$mode" = derived ] || die "the volume has the identity $present, the Secret $wanted for ordinal $ordinal: remove $folder/identity.json to take the Secret's"
      say "keeping the identity $present of the volume; the seed would give $wanted"
    fi
    return 0
  fi
  cp "$1" "$folder/.identity.json.new"
  mv "$folder/.identity.json.new" "$folder/identity.json"
  say "took the identity $wanted for ordinal $ordinal"
}

case $mode in
  persisted) ;;
  existingSecret)
    file=$identity/identity-$ordinal.json
    [ -s "$file" ] || die "the identity Secret has no key identity-$ordinal.json for this pod"
    adopt "$file"
    ;;
  derived)
    [ -s "$identity/identity-seed" ] || die "the identity Secret has no key identity-seed"
    made=$(mktemp)
    ipfs-cluster-agent identity derive --seed-file "$identity/identity-seed" --salt "$IDENTITY_SALT" \
      --ordinal "$ordinal" --json >"$made" || die "could not derive the identity: this mode needs ipfs-cluster-agent"
    adopt "$made"
    rm -f "$made"
    ;;
  *) die "unknown identity mode $mode" ;;
esac

if [ -s "$folder/service.json" ]; then
  say "keeping the configuration in $folder"
else
  # Only the secret goes into the file: a variable that is taken away later must not live on there.
  env -i PATH="$PATH" HOME=/tmp IPFS_CLUSTER_PATH="$folder" CLUSTER_SECRET="$CLUSTER_SECRET" \
    ipfs-cluster-service init --consensus crdt
  [ -s "$folder/service.json" ] || die "ipfs-cluster-service init left no $folder/service.json"
  say "made the configuration in $folder"
fi
say "this is ${POD_NAME:-} with the ID $(id_of "$folder/identity.json")"
