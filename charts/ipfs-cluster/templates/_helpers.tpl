{{/* The release's own name: fullnameOverride, else the release, with the chart's name where it adds something. */}}
{{- define "ica.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "ica.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "ica.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Names of the two halves. Pod k of the one works with pod k of the other. */}}
{{- define "ica.ipfs.fullname" -}}
{{- default (printf "ipfs-%s" (include "ica.fullname" .)) .Values.ipfs.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- define "ica.ipfs.headless" -}}
{{- printf "%s-headless" (include "ica.ipfs.fullname" .) -}}
{{- end -}}
{{- define "ica.cluster.fullname" -}}
{{- default (printf "%s-cluster" (include "ica.fullname" .)) .Values.cluster.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- define "ica.cluster.client" -}}
{{- printf "%s-api" (include "ica.cluster.fullname" .) -}}
{{- end -}}

{{/* DNS domains of the pods. */}}
{{- define "ica.ipfs.domain" -}}
{{- printf "%s.%s.svc.%s" (include "ica.ipfs.headless" .) .Release.Namespace .Values.clusterDomain -}}
{{- end -}}
{{- define "ica.cluster.domain" -}}
{{- printf "%s.%s.svc.%s" (include "ica.cluster.fullname" .) .Release.Namespace .Values.clusterDomain -}}
{{- end -}}

{{- define "ica.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ include "ica.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: ipfs-cluster
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* include "ica.selector" (dict "root" $ "type" "ipfs"): immutable once installed, so nothing else belongs here. */}}
{{- define "ica.selector" -}}
app.kubernetes.io/name: {{ include "ica.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
nodeType: {{ .type }}
{{- end -}}

{{- define "ica.annotations" -}}
{{- with .Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* include "ica.image" (dict "root" $ "image" .Values.x.image "default" "tag") */}}
{{- define "ica.image" -}}
{{- $repository := .image.repository -}}
{{- with .root.Values.global.imageRegistry -}}
{{- $repository = printf "%s/%s" (trimSuffix "/" .) $repository -}}
{{- end -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .default .image.tag | toString) -}}
{{- end -}}
{{- end -}}

{{/* The stock Go image under the same values: another repository, and tags that begin with v. */}}
{{- define "ica.cluster.image" -}}
{{- $image := .Values.cluster.image -}}
{{- $default := .Chart.AppVersion -}}
{{- if eq $image.flavor "go" -}}
{{- $default = printf "v%s" .Chart.AppVersion -}}
{{- if not $image.repository -}}{{- $image = merge (dict "repository" "ipfs/ipfs-cluster") $image -}}{{- end -}}
{{- else if not $image.repository -}}
{{- $image = merge (dict "repository" "ipfs-cluster-agent") $image -}}
{{- end -}}
{{- include "ica.image" (dict "root" . "image" $image "default" $default) -}}
{{- end -}}
{{- define "ica.ipfs.image" -}}
{{- include "ica.image" (dict "root" . "image" .Values.ipfs.image "default" "v0.43.0") -}}
{{- end -}}

{{- define "ica.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "ica.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Secret with the pre-shared key. */}}
{{- define "ica.secretName" -}}
{{- default (printf "%s-secret" (include "ica.fullname" .)) .Values.existingSecret -}}
{{- end -}}
{{- define "ica.secretKey" -}}
{{- if .Values.existingSecret -}}{{- .Values.existingSecretKey -}}{{- else -}}secret{{- end -}}
{{- end -}}

{{/*
The key itself, as 64 digits. In order: sharedSecret, what an earlier install made, a new one. A new one is made only
where the chart can look into the cluster: a render without it (helm template, GitOps) would make another at each run.
*/}}
{{- define "ica.secretValue" -}}
{{- $given := .Values.sharedSecret | toString | trim -}}
{{- if $given -}}
{{- if not (regexMatch "^[0-9a-fA-F]{64}$" $given) -}}
{{- fail (printf "sharedSecret must be 64 hex digits (32 bytes), but has %d characters. Make one with: openssl rand -hex 32" (len $given)) -}}
{{- end -}}
{{- $given | lower -}}
{{- else -}}
{{- include "ica.kept" (dict "root" . "name" (include "ica.secretName" .) "key" "secret" "what" "no cluster secret: set sharedSecret (64 hex digits, openssl rand -hex 32) or existingSecret") -}}
{{- end -}}
{{- end -}}

{{/*
32 random bytes as hex digits, generated once: the one in the cluster, else the one made earlier in this render, else a new
one. include "ica.kept" (dict "root" $ "name" secret "key" key "what" sentence)
*/}}
{{- define "ica.kept" -}}
{{- $old := lookup "v1" "Secret" .root.Release.Namespace .name -}}
{{- $memo := printf "%s/%s" .name .key -}}
{{- $made := get .root.Values "_generated" | default dict -}}
{{- if and $old $old.data (index $old.data .key) -}}
{{- index $old.data .key | b64dec -}}
{{- else if hasKey $made $memo -}}
{{- get $made $memo -}}
{{- else if lookup "v1" "Namespace" "" "kube-system" -}}
{{- $new := randBytes 32 | b64dec | printf "%x" -}}
{{- $_ := set $made $memo $new -}}
{{- $_ := set .root.Values "_generated" $made -}}
{{- $new -}}
{{- else -}}
{{- fail (printf "%s. One is generated only by helm install and helm upgrade, which can keep it; this render cannot see a cluster." .what) -}}
{{- end -}}
{{- end -}}

{{/* Largest number of pods of either half: the autoscaler's bound, else replicaCount. */}}
{{- define "ica.maxReplicas" -}}
{{- if .Values.autoscaling.enabled -}}{{- .Values.autoscaling.maxReplicas -}}{{- else -}}{{- .Values.replicaCount -}}{{- end -}}
{{- end -}}
{{- define "ica.minReplicas" -}}
{{- if .Values.autoscaling.enabled -}}{{- .Values.autoscaling.minReplicas -}}{{- else -}}{{- .Values.replicaCount -}}{{- end -}}
{{- end -}}

{{/*
How a cluster pod knows its Kubo. Since 1.28 a pod's ordinal is in a label, and so can be in a variable. Before, a
service per pod carries the cluster pod's name and leads to the Kubo of the same ordinal.
*/}}
{{- define "ica.pairing" -}}
{{- if ne .Values.cluster.pairing "auto" -}}
{{- .Values.cluster.pairing -}}
{{- else if semverCompare ">=1.28.0-0" .Capabilities.KubeVersion.Version -}}label
{{- else -}}service{{- end -}}
{{- end -}}
{{- define "ica.nodeMultiaddress" -}}
{{- if eq (include "ica.pairing" .) "label" -}}
{{- printf "/%s/%s-$(POD_INDEX).%s/tcp/5001" .Values.dnsProtocol (include "ica.ipfs.fullname" .) (include "ica.ipfs.domain" .) -}}
{{- else -}}
{{- printf "/%s/$(POD_NAME)-kubo.%s.svc.%s/tcp/5001" .Values.dnsProtocol .Release.Namespace .Values.clusterDomain -}}
{{- end -}}
{{- end -}}

{{/* Security contexts: on OpenShift the platform chooses the user. */}}
{{- define "ica.podSecurityContext" -}}
{{- if .root.Values.openshift.enabled -}}
{{- toYaml (omit .context "runAsUser" "runAsGroup" "fsGroup" "fsGroupChangePolicy") -}}
{{- else -}}
{{- $context := .context -}}
{{- if not (semverCompare ">=1.20.0-0" .root.Capabilities.KubeVersion.Version) -}}
{{- $context = omit $context "fsGroupChangePolicy" -}}
{{- end -}}
{{- toYaml $context -}}
{{- end -}}
{{- end -}}

{{/* Soft spreading over nodes; the user's own affinity replaces it. include with (dict "root" $ "type" t "other" o "values" v) */}}
{{- define "ica.affinity" -}}
{{- if .values.affinity -}}
{{- toYaml .values.affinity -}}
{{- else -}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        labelSelector:
          matchLabels:
            {{- include "ica.selector" (dict "root" .root "type" .type) | nindent 12 }}
        topologyKey: kubernetes.io/hostname
{{- if .root.Values.colocatePairs }}
podAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 50
      podAffinityTerm:
        labelSelector:
          matchLabels:
            {{- include "ica.selector" (dict "root" .root "type" .other) | nindent 12 }}
        topologyKey: kubernetes.io/hostname
{{- end }}
{{- end -}}
{{- end -}}

{{/* The user's variables win over the chart's of the same name: include "ica.mergedEnv" (dict "ours" list "user" list) */}}
{{- define "ica.mergedEnv" -}}
{{- $names := dict -}}
{{- range .user -}}{{- $_ := set $names .name true -}}{{- end -}}
{{- range .ours -}}
{{- if not (hasKey $names .name) }}
- {{ toYaml . | nindent 2 | trim }}
{{- end -}}
{{- end -}}
{{- range .user }}
- {{ toYaml . | nindent 2 | trim }}
{{- end -}}
{{- end -}}

{{/* Bytes of a Kubernetes quantity: 10Gi, 500M, 1Ti, 1048576. */}}
{{- define "ica.bytes" -}}
{{- $text := toString . -}}
{{- $number := regexFind "^[0-9.]+" $text | float64 -}}
{{- $unit := regexFind "[A-Za-z]*$" $text -}}
{{- $factor := get (dict "" 1.0 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "Pi" 1125899906842624.0) $unit -}}
{{- if not $factor -}}{{- fail (printf "%s is not a size: write it as 500Mi, 10Gi or 1Ti" $text) -}}{{- end -}}
{{- mulf $number $factor | floor | int64 -}}
{{- end -}}
