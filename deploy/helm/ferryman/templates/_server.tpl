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
{{- range $name, $value := merge (dict) $server.env $variables }}
- name: {{ $name }}
  value: {{ toString $value | quote }}
{{- end }}
{{- end -}}

{{- /* The kubelet speaks no TLS in a gRPC probe, so under TLS the server's own probe asks. */ -}}
{{- define "ferryman.ask" -}}
{{- if .Values.tls.secretName -}}
exec:
  command: [python, -m, ferryman_server.probe]
{{- else -}}
grpc:
  port: 50051
{{- end -}}
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
