{{/* What a schema cannot say, in sentences. Run by every StatefulSet, so that no render goes past it. */}}
{{- define "ica.validate" -}}
{{- $v := .Values -}}
{{- if and $v.autoscaling.enabled (gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas)) -}}
{{- fail (printf "autoscaling.minReplicas (%d) is above autoscaling.maxReplicas (%d)" (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas)) -}}
{{- end -}}
{{- $min := int $v.cluster.replicationFactorMin -}}
{{- $max := int $v.cluster.replicationFactorMax -}}
{{- if or (eq $min 0) (eq $max 0) -}}
{{- fail "cluster.replicationFactorMin and Max must be -1 (on every peer) or 1 and more; 0 copies is no pin" -}}
{{- end -}}
{{- if or (and (lt $min 0) (gt $max 0)) (and (gt $min 0) (lt $max 0)) -}}
{{- fail (printf "cluster.replicationFactorMin (%d) and Max (%d): either both are -1 or none is" $min $max) -}}
{{- end -}}
{{- if gt $min $max -}}
{{- fail (printf "cluster.replicationFactorMin (%d) is above cluster.replicationFactorMax (%d)" $min $max) -}}
{{- end -}}
{{- if eq $v.cluster.image.flavor "go" -}}
{{- range $v.bootstrap.peers -}}
{{- if not (contains "/p2p/" .) -}}
{{- fail (printf "bootstrap.peers: %s has no /p2p/ with the peer's ID, and the flavor go cannot dial without it" .) -}}
{{- end -}}
{{- end -}}
{{- if eq $v.identity.mode "derived" -}}
{{- fail "identity.mode derived needs ipfs-cluster-agent: it does not work with cluster.image.flavor go" -}}
{{- end -}}
{{- end -}}
{{- if eq (include "ica.cluster.fullname" .) (include "ica.ipfs.fullname" .) -}}
{{- fail (printf "the two halves have the same name %s: change cluster.fullnameOverride or ipfs.fullnameOverride" (include "ica.ipfs.fullname" .)) -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.ingress.hosts) -}}{{- fail "ingress.enabled needs ingress.hosts" -}}{{- end -}}
{{- if and $v.ingress.admin.enabled (not $v.ingress.admin.hosts) -}}{{- fail "ingress.admin.enabled needs ingress.admin.hosts" -}}{{- end -}}
{{- if $v.istio.enabled -}}
{{- if not $v.istio.gateways -}}{{- fail "istio.enabled needs istio.gateways, for example [istio-ingress/ingressgateway-public]" -}}{{- end -}}
{{- if not $v.istio.hosts -}}{{- fail "istio.enabled needs istio.hosts, for example [ipfs.example.com]" -}}{{- end -}}
{{- if and $v.istio.adminEnabled (not (and $v.istio.adminGateways $v.istio.adminHosts)) -}}{{- fail "istio.adminEnabled needs istio.adminGateways and istio.adminHosts" -}}{{- end -}}
{{- end -}}
{{- if and $v.httpRoute.enabled (not $v.httpRoute.parentRefs) -}}{{- fail "httpRoute.enabled needs httpRoute.parentRefs: the Gateways" -}}{{- end -}}
{{- if and $v.httpRoute.admin.enabled (not $v.httpRoute.admin.parentRefs) -}}{{- fail "httpRoute.admin.enabled needs httpRoute.admin.parentRefs: the Gateways" -}}{{- end -}}
{{- end -}}
