#!/bin/sh
# backup.sh FOLDER KEEP: an export of the pinset, asked from the service, into FOLDER; keeps the newest KEEP.
set -eu
folder=${1:?usage: backup.sh FOLDER KEEP} keep=${2:?usage: backup.sh FOLDER KEEP}
scheme=http option=
if [ -n "${CLUSTER_RESTAPI_SSLCERTFILE:-}" ]; then
  scheme=https option=--no-check-certificate
fi
login=
if [ -n "${CLUSTER_RESTAPI_BASICAUTHCREDENTIALS:-}" ]; then
  login=${CLUSTER_RESTAPI_BASICAUTHCREDENTIALS%%,*}@
fi
mkdir -p "$folder"
name=pinset-$(date -u +%Y%m%dT%H%M%SZ).json
wget -q $option -O "$folder/.$name" "$scheme://${login}${API_HOST:?}:9094/allocations"
gzip -f "$folder/.$name"
mv "$folder/.$name.gz" "$folder/$name.gz"
echo "backup: $(gzip -dc "$folder/$name.gz" | wc -l) pins in $folder/$name.gz"
# The names sort by time.
ls "$folder" | grep '^pinset-.*\.json\.gz$' | sort -r | tail -n +$((keep + 1)) | while read -r old; do
  rm -f "$folder/$old"
  echo "backup: removed $old"
done
