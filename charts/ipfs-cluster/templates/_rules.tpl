{{/* The alerts. Thresholds come from the values. tests/chart/rules_test.yaml has a case for each. */}}
{{- define "ica.rules" -}}
{{- $p := .Values.metrics.prometheusRule -}}
{{- $peers := default (include "ica.minReplicas" . | int) $p.minPeers -}}
{{- $storage := mulf (include "ica.bytes" .Values.ipfs.storage.volumeSize | float64) $p.storageRatio | floor | int64 -}}
{{- $ns := printf "namespace=%q" .Release.Namespace -}}
{{- $rules := list
  (dict "alert" "ClusterPeerDown" "for" "5m" "severity" "critical"
    "expr" (printf "cluster_peers_total < %d" (int $peers))
    "summary" "IPFS Cluster peer count low"
    "description" (printf "Cluster has {{ $value }} peers, expected %d" (int $peers)))
  (dict "alert" "PinReplicationFailed" "for" "10m" "severity" "warning"
    "expr" "cluster_pins_pin_error > 0"
    "summary" "Pin replication failures detected"
    "description" "{{ $value }} pins failed to replicate on {{ $labels.pod }}")
  (dict "alert" "IPFSStorageHigh" "for" "1h" "severity" "warning"
    "expr" (printf "ipfs_repo_size_bytes > %d" $storage)
    "summary" "IPFS storage usage high"
    "description" "Node {{ $labels.pod }} using {{ $value | humanize }}B")
  (dict "alert" "ClusterStateDiverged" "for" "15m" "severity" "warning"
    "expr" "count by (namespace, job) (count_values by (namespace, job) (\"state\", ipfs_cluster_agent_state_digest)) > 1"
    "summary" "Peers hold different pinsets"
    "description" "The peers have shown {{ $value }} different pinsets for 15 minutes")
  (dict "alert" "PinQueueOld" "for" "10m" "severity" "warning"
    "expr" (printf "ipfs_cluster_agent_queue_oldest_seconds > %d" (int $p.queueAgeSeconds))
    "summary" "Pins wait too long for Kubo"
    "description" "The oldest item of {{ $labels.pod }} has waited {{ $value | humanizeDuration }}")
  (dict "alert" "KuboUnreachable" "for" "5m" "severity" "critical"
    "expr" "ipfs_cluster_agent_kubo_reachable == 0"
    "summary" "A peer does not reach its Kubo"
    "description" "{{ $labels.pod }} has not reached its Kubo for 5 minutes")
  (dict "alert" "PinsUnderReplicated" "for" "30m" "severity" "warning"
    "expr" "sum by (namespace, job) (ipfs_cluster_agent_pins{status=~\"pin_queued|pinning|pin_error|unexpectedly_unpinned\"}) > 0"
    "summary" "Pins have fewer copies than they should"
    "description" "{{ $value }} copies have been missing for 30 minutes")
  (dict "alert" "SecretMismatch" "for" "5m" "severity" "warning"
    "expr" "sum by (namespace, job, pod) (increase(ipfs_cluster_agent_connection_failures_total{reason=\"wrong_secret\"}[10m])) > 3"
    "summary" "Peers have different secrets"
    "description" "{{ $value | humanize }} connections of {{ $labels.pod }} failed in 10 minutes because there was no common secret")
  (dict "alert" "StoreStalls" "for" "5m" "severity" "warning"
    "expr" "rate(ipfs_cluster_agent_store_stalls_total[5m]) > 0.1"
    "summary" "The store holds writes back"
    "description" "The disk of {{ $labels.pod }} is slower than its changes come in") -}}
groups:
  - name: ipfs-cluster
    interval: 30s
    rules:
      {{- range $rules }}
      {{- if and .summary (not (has .alert $p.disabled)) }}
      - alert: {{ .alert }}
        expr: {{ .expr | squote }}
        for: {{ .for }}
        labels:
          severity: {{ .severity }}
        annotations:
          summary: {{ .summary | squote }}
          description: {{ .description | squote }}
          runbook_url: {{ printf "%s/%s.md" (trimSuffix "/" $p.runbookBase) .alert | quote }}
      {{- end }}
      {{- end }}
{{- end -}}
