{{- /* The variables of the server. Quoted, since a variable is a text. */ -}}
{{- define "ferryman.environment" -}}
{{- $server := .Values.server -}}
{{- $variables := dict
  "FERRYMAN_ADDRESS" "0.0.0.0:50051"
  "FERRYMAN_METRICS_ADDRESS" (printf "0.0.0.0:%d" (int .Values.metrics.port))
  "FERRYMAN_WORKERS" (include "ferryman.workers" .)
  "FERRYMAN_THREADS" $server.threads
  "FERRYMAN_MAX_ROWS" $server.maxRows
  "FERRYMAN_MAX_QUEUED_TOKENS" (int $server.maxQueuedTokens)
  "FERRYMAN_MAX_CONCURRENT_CALLS" (int $server.maxConcurrentCalls)
  "FERRYMAN_DRAIN_SECONDS" $server.drainSeconds
  "FERRYMAN_TRIAL_SECONDS" $server.trialSeconds
  "FERRYMAN_LOG_FORMAT" $server.logFormat
  "FERRYMAN_DEVICE" (ternary "cuda" "cpu" .Values.gpu.enabled)
-}}
{{- if .Values.tls.secretName -}}
{{- $_ := set $variables "FERRYMAN_TLS_CERTIFICATE" "/etc/ferryman/tls/tls.crt" -}}
{{- $_ := set $variables "FERRYMAN_TLS_KEY" "/etc/ferryman/tls/tls.key" -}}
{{- if .Values.tls.clientCertificates -}}
{{- $_ := set $variables "FERRYMAN_TLS_CLIENT_CA" "/etc/ferryman/tls/ca.crt" -}}
{{- end -}}
{{- end -}}
{{- if .Values.apiKeys.secretName -}}
{{- $_ := set $variables "FERRYMAN_KEYS_FILE" "/etc/ferryman/keys/keys.json" -}}
{{- end -}}
{{- if include "ferryman.guarded" . -}}
{{- $_ := set $variables "FERRYMAN_PROBE_ADDRESS" "0.0.0.0:50052" -}}
{{- end -}}
{{- range $name, $value := merge (dict) $server.env $variables }}
- name: {{ $name }}
  value: {{ toString $value | quote }}
{{- end }}
{{- end -}}

{{- define "ferryman.guarded" -}}
{{- if or .Values.tls.secretName .Values.apiKeys.secretName }}yes{{ end -}}
{{- end -}}

{{- /* A kubelet has no key, and speaks no TLS in a gRPC probe: then the port for probes answers. */ -}}
{{- define "ferryman.ask" -}}
grpc:
  port: {{ ternary 50052 50051 (eq "yes" (include "ferryman.guarded" .)) }}
{{- end -}}

{{- /* A bundle is loaded twice: in its trial and in the server. */ -}}
{{- define "ferryman.probes" -}}
startupProbe:
  {{- include "ferryman.ask" . | nindent 2 }}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: {{ max 30 .Values.server.trialSeconds }}
readinessProbe:
  {{- include "ferryman.ask" . | nindent 2 }}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
livenessProbe:
  {{- include "ferryman.ask" . | nindent 2 }}
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 6
{{- end -}}

{{- define "ferryman.mounts" -}}
- name: tmp
  mountPath: /tmp
{{- if or .Values.bundles.volume .Values.bundles.init.image }}
- name: bundles
  mountPath: /bundles
  readOnly: true
{{- end }}
{{- if .Values.tls.secretName }}
- name: tls
  mountPath: /etc/ferryman/tls
  readOnly: true
{{- end }}
{{- if .Values.apiKeys.secretName }}
- name: keys
  mountPath: /etc/ferryman/keys
  readOnly: true
{{- end }}
{{- end -}}

{{- define "ferryman.volumes" -}}
- name: tmp
  emptyDir:
    medium: Memory
    sizeLimit: 16Mi
{{- if .Values.bundles.init.image }}
- name: bundles
  emptyDir:
    sizeLimit: {{ .Values.bundles.init.sizeLimit }}
{{- else if .Values.bundles.volume }}
- name: bundles
  {{- toYaml .Values.bundles.volume | nindent 2 }}
{{- end }}
{{- if .Values.tls.secretName }}
- name: tls
  secret:
    secretName: {{ .Values.tls.secretName }}
    defaultMode: 0440
{{- end }}
{{- if .Values.apiKeys.secretName }}
- name: keys
  secret:
    secretName: {{ .Values.apiKeys.secretName }}
    defaultMode: 0440
{{- end }}
{{- end -}}
