#!/bin/sh
# export-state.sh FOLDER: writes the pinset into FOLDER/state.json.gz, one pin a line, as `state export` does; from the
# running peer and without stopping it. Run before a backup of the volume.
set -eu
folder=${1:?usage: export-state.sh FOLDER}
mkdir -p "$folder"
scheme=http option=
if [ -n "${CLUSTER_RESTAPI_SSLCERTFILE:-}" ]; then
  scheme=https option=--no-check-certificate
fi
login=
if [ -n "${CLUSTER_RESTAPI_BASICAUTHCREDENTIALS:-}" ]; then
  login=${CLUSTER_RESTAPI_BASICAUTHCREDENTIALS%%,*}@
fi
# Whole, or not at all.
wget -q $option -O "$folder/state.json.new" "$scheme://${login}localhost:9094/allocations"
gzip -f "$folder/state.json.new"
mv "$folder/state.json.new.gz" "$folder/state.json.gz"
echo "export-state: $(gzip -dc "$folder/state.json.gz" | wc -l) pins in $folder/state.json.gz"
