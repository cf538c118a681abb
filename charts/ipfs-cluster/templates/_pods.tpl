{{/* What the pods of both halves share. (dict "root" $ "values" .Values.ipfs "type" "ipfs" "other" "cluster") */}}
{{- define "ica.podBasics" -}}
{{- $v := .values -}}
{{- $root := .root -}}
serviceAccountName: {{ include "ica.serviceAccountName" $root }}
automountServiceAccountToken: false
# Variables like CLUSTER_PORT, made for each service of the namespace, would be taken for settings.
enableServiceLinks: false
terminationGracePeriodSeconds: {{ $v.terminationGracePeriodSeconds }}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - {{ if kindIs "string" . }}name: {{ . }}{{ else }}{{ toYaml . | nindent 4 | trim }}{{ end }}
  {{- end }}
{{- end }}
{{- with default $root.Values.priorityClassName $v.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $v.schedulerName }}
schedulerName: {{ . }}
{{- end }}
{{- with $v.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "ica.podSecurityContext" (dict "root" $root "context" $v.podSecurityContext) | nindent 2 }}
affinity:
  {{- include "ica.affinity" (dict "root" $root "type" .type "other" .other "values" $v) | nindent 2 }}
{{- with mergeOverwrite (dict) $root.Values.nodeSelector $v.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with concat $root.Values.tolerations $v.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- $constraints := $v.topologySpreadConstraints }}
{{- $selector := include "ica.selector" (dict "root" $root "type" .type) | fromYaml }}
{{- with $constraints }}
topologySpreadConstraints:
  {{- range . }}
  - {{ toYaml (merge (dict) . (dict "labelSelector" (dict "matchLabels" $selector))) | nindent 4 | trim }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "ica.envFrom" -}}
{{- with . -}}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* (dict "name" "livenessProbe" "values" {...} "check" {...}): custom replaces the check, enabled: false drops it */}}
{{- define "ica.probe" -}}
{{- if .values.enabled -}}
{{- $check := default .check .values.custom -}}
{{ .name }}:
  {{- toYaml (merge (dict) $check (omit .values "enabled" "custom")) | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* Hands a volume that ignores fsGroup (NFS, EFS) to the pod's user; needs root, so it is off by default. */}}
{{- define "ica.chown" -}}
- name: volume-permissions
  image: {{ .image | quote }}
  imagePullPolicy: {{ .pull }}
  command: ["/bin/sh", "-c", "chown -R {{ .root.Values.volumePermissions.owner }} {{ .path }}"]
  securityContext:
    runAsUser: 0
    runAsNonRoot: false
    allowPrivilegeEscalation: false
    capabilities:
      drop: [ALL]
      add: [CHOWN, DAC_READ_SEARCH, FOWNER]
  volumeMounts:
    - name: data
      mountPath: {{ .path }}
{{- end -}}

{{- define "ica.claim" -}}
- metadata:
    name: data
    labels:
      {{- .selector | nindent 6 }}
      {{- with .storage.labels }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- with .storage.annotations }}
    annotations:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  spec:
    accessModes:
      {{- toYaml .storage.accessModes | nindent 6 }}
    {{- with .storage.storageClassName }}
    storageClassName: {{ if eq . "-" }}""{{ else }}{{ . | quote }}{{ end }}
    {{- end }}
    resources:
      requests:
        storage: {{ .storage.volumeSize | quote }}
    {{- with .storage.selector }}
    selector:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with .storage.dataSource }}
    dataSource:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end -}}

{{- define "ica.cluster.mounts" -}}
- name: data
  mountPath: /data/ipfs-cluster
- name: scripts
  mountPath: /scripts
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- if .Values.cluster.tls.existingSecret }}
- name: tls
  mountPath: /tls
  readOnly: true
{{- end }}
{{- end -}}

{{/* The environment of the peer and of its init containers. */}}
{{- define "ica.cluster.env" -}}
{{- $c := .Values.cluster -}}
{{- $any := ternary "/ip6/::" "/ip4/0.0.0.0" .Values.ipv6 -}}
{{- $own := ternary "/ip6/::1" "/ip4/127.0.0.1" .Values.ipv6 -}}
{{- $env := list -}}
{{- $env = append $env (dict "name" "POD_NAME" "valueFrom" (dict "fieldRef" (dict "fieldPath" "metadata.name"))) -}}
{{- if eq (include "ica.pairing" .) "label" -}}
{{- $env = append $env (dict "name" "POD_INDEX" "valueFrom" (dict "fieldRef" (dict "fieldPath" "metadata.labels['apps.kubernetes.io/pod-index']"))) -}}
{{- end -}}
{{- $env = append $env (dict "name" "IPFS_CLUSTER_PATH" "value" "/data/ipfs-cluster") -}}
{{- $env = append $env (dict "name" "CLUSTER_PEERNAME" "value" "$(POD_NAME)") -}}
{{- $env = append $env (dict "name" "CLUSTER_SECRET" "valueFrom" (dict "secretKeyRef" (dict "name" (include "ica.secretName" .) "key" (include "ica.secretKey" .)))) -}}
{{- $env = append $env (dict "name" "CLUSTER_IPFSHTTP_NODEMULTIADDRESS" "value" (include "ica.nodeMultiaddress" .)) -}}
{{- $env = append $env (dict "name" "CLUSTER_RESTAPI_HTTPLISTENMULTIADDRESS" "value" (printf "%s/tcp/9094" $any)) -}}
{{- $env = append $env (dict "name" "CLUSTER_LISTENMULTIADDRESS" "value" (printf "%s/tcp/9096" $any)) -}}
{{- $announce := list (printf "/%s/$(POD_NAME).%s/tcp/9096" .Values.dnsProtocol (include "ica.cluster.domain" .)) -}}
{{- range $c.announce -}}{{- $announce = append $announce . -}}{{- end -}}
{{- $env = append $env (dict "name" "CLUSTER_ANNOUNCEMULTIADDRESS" "value" (join "," $announce)) -}}
{{- $env = append $env (dict "name" "CLUSTER_CRDT_CLUSTERNAME" "value" $c.name) -}}
{{- $env = append $env (dict "name" "CLUSTER_CRDT_TRUSTEDPEERS" "value" (join "," $c.trustedPeers)) -}}
{{- $env = append $env (dict "name" "CLUSTER_DISABLEREPINNING" "value" (toString $c.disableRepinning)) -}}
{{- $env = append $env (dict "name" "CLUSTER_REPLICATIONFACTORMIN" "value" (toString $c.replicationFactorMin)) -}}
{{- $env = append $env (dict "name" "CLUSTER_REPLICATIONFACTORMAX" "value" (toString $c.replicationFactorMax)) -}}
{{- $env = append $env (dict "name" "CLUSTER_METRICS_ENABLESTATS" "value" (toString .Values.metrics.enabled)) -}}
{{- /* Without metrics only the probes of the pod itself ask there. */ -}}
{{- $env = append $env (dict "name" "CLUSTER_METRICS_PROMETHEUSENDPOINT" "value" (printf "%s/tcp/8888" (ternary $any $own .Values.metrics.enabled))) -}}
{{- $env = append $env (dict "name" "BOOTSTRAP_ENABLED" "value" (toString .Values.bootstrap.enabled)) -}}
{{- if .Values.bootstrap.enabled -}}
{{- $env = append $env (dict "name" "BOOTSTRAP_DOMAIN" "value" (include "ica.cluster.domain" .)) -}}
{{- $env = append $env (dict "name" "BOOTSTRAP_PROTOCOL" "value" .Values.dnsProtocol) -}}
{{- $env = append $env (dict "name" "BOOTSTRAP_BUDGET" "value" (toString .Values.bootstrap.budgetSeconds)) -}}
{{- if ne $c.image.flavor "go" -}}
{{- $env = append $env (dict "name" "CLUSTER_BOOTSTRAP_DNS" "value" (include "ica.cluster.domain" .)) -}}
{{- end -}}
{{- end -}}
{{- with .Values.bootstrap.peers -}}
{{- $env = append $env (dict "name" "CLUSTER_PEERADDRESSES" "value" (join "," .)) -}}
{{- end -}}
{{- $env = append $env (dict "name" "IDENTITY_MODE" "value" .Values.identity.mode) -}}
{{- if eq .Values.identity.mode "derived" -}}
{{- $env = append $env (dict "name" "IDENTITY_SALT" "value" (default (printf "%s/%s" .Release.Namespace (include "ica.cluster.fullname" .)) .Values.identity.salt)) -}}
{{- end -}}
{{- if $c.tls.existingSecret -}}
{{- $env = append $env (dict "name" "CLUSTER_RESTAPI_SSLCERTFILE" "value" "/tls/tls.crt") -}}
{{- $env = append $env (dict "name" "CLUSTER_RESTAPI_SSLKEYFILE" "value" "/tls/tls.key") -}}
{{- end -}}
{{- if $c.basicAuth.existingSecret -}}
{{- $env = append $env (dict "name" "CLUSTER_RESTAPI_BASICAUTHCREDENTIALS" "valueFrom" (dict "secretKeyRef" (dict "name" $c.basicAuth.existingSecret "key" $c.basicAuth.key))) -}}
{{- end -}}
{{- if $c.ipfsProxy.enabled -}}
{{- $env = append $env (dict "name" "CLUSTER_IPFSPROXY_LISTENMULTIADDRESS" "value" (printf "%s/tcp/9095" $any)) -}}
{{- $env = append $env (dict "name" "CLUSTER_IPFSPROXY_NODEMULTIADDRESS" "value" (include "ica.nodeMultiaddress" .)) -}}
{{- end -}}
{{- if $c.pinningService.enabled -}}
{{- $env = append $env (dict "name" "CLUSTER_PINSVCAPI_HTTPLISTENMULTIADDRESS" "value" (printf "%s/tcp/9097" $any)) -}}
{{- if $c.basicAuth.existingSecret -}}
{{- $env = append $env (dict "name" "CLUSTER_PINSVCAPI_BASICAUTHCREDENTIALS" "valueFrom" (dict "secretKeyRef" (dict "name" $c.basicAuth.existingSecret "key" $c.basicAuth.key))) -}}
{{- end -}}
{{- end -}}
{{- with $c.rebroadcastInterval -}}
{{- $env = append $env (dict "name" "CLUSTER_CRDT_REBROADCASTINTERVAL" "value" .) -}}
{{- end -}}
{{- with $c.mdnsInterval -}}
{{- $env = append $env (dict "name" "CLUSTER_MDNSINTERVAL" "value" (toString .)) -}}
{{- end -}}
{{- with $c.logFormat -}}
{{- if ne $c.image.flavor "go" -}}
{{- $env = append $env (dict "name" "CLUSTER_AGENT_LOGFORMAT" "value" .) -}}
{{- end -}}
{{- end -}}
{{- include "ica.mergedEnv" (dict "ours" $env "user" $c.env) | trim -}}
{{- end -}}

{{/* Changes when the secret does, so that the pods restart with the new one. */}}
{{- define "ica.secretChecksum" -}}
{{- if .Values.existingSecret -}}
{{- $old := lookup "v1" "Secret" .Release.Namespace .Values.existingSecret -}}
{{- if and $old $old.data -}}{{- toJson $old.data | sha256sum -}}{{- else -}}{{- .Values.existingSecret | sha256sum -}}{{- end -}}
{{- else -}}
{{- include "ica.secretValue" . | sha256sum -}}
{{- end -}}
{{- end -}}

{{/* The environment of Kubo, read by the scripts in /container-init.d as well. */}}
{{- define "ica.ipfs.env" -}}
{{- $i := .Values.ipfs -}}
{{- $env := list -}}
{{- $env = append $env (dict "name" "POD_NAME" "valueFrom" (dict "fieldRef" (dict "fieldPath" "metadata.name"))) -}}
{{- $env = append $env (dict "name" "POD_IP" "valueFrom" (dict "fieldRef" (dict "fieldPath" "status.podIP"))) -}}
{{- $env = append $env (dict "name" "HOST_IP" "valueFrom" (dict "fieldRef" (dict "fieldPath" "status.hostIP"))) -}}
{{- if eq (include "ica.pairing" .) "label" -}}
{{- $env = append $env (dict "name" "POD_INDEX" "valueFrom" (dict "fieldRef" (dict "fieldPath" "metadata.labels['apps.kubernetes.io/pod-index']"))) -}}
{{- end -}}
{{- $env = append $env (dict "name" "IPFS_PATH" "value" "/data/ipfs") -}}
{{- $env = append $env (dict "name" "HOME" "value" "/tmp") -}}
{{- with $i.profile -}}
{{- $env = append $env (dict "name" "IPFS_PROFILE" "value" .) -}}
{{- end -}}
{{- $storageMax := $i.storageMax -}}
{{- if not $storageMax -}}
{{- /* The rest is for what Kubo does not count: its database, and files that are still being written. */ -}}
{{- $storageMax = printf "%dB" (div (mul (include "ica.bytes" $i.storage.volumeSize | int64) 80) 100) -}}
{{- end -}}
{{- $env = append $env (dict "name" "IPFS_STORAGE_MAX" "value" $storageMax) -}}
{{- with $i.announce -}}
{{- $env = append $env (dict "name" "IPFS_ANNOUNCE" "value" (join "," .)) -}}
{{- end -}}
{{- $env = append $env (dict "name" "IPFS_BITSWAP_BROADCAST" "value" (toString $i.bitswapBroadcast)) -}}
{{- $env = append $env (dict "name" "IPFS_MDNS" "value" (toString $i.mdns)) -}}
{{- $env = append $env (dict "name" "IPFS_PRIVATE_SWARM" "value" (toString $i.privateSwarm.enabled)) -}}
{{- with (($i.resources).limits).memory -}}
{{- $env = append $env (dict "name" "GOMEMLIMIT" "value" (printf "%dB" (div (mul (include "ica.bytes" . | int64) 85) 100))) -}}
{{- end -}}
{{- include "ica.mergedEnv" (dict "ours" $env "user" $i.env) | trim -}}
{{- end -}}
