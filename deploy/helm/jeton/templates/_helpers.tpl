{{- define "jeton.name" -}}
{{- $name := printf "%s-%s" .Release.Name .Chart.Name -}}
{{- if contains .Chart.Name .Release.Name }}{{ $name = .Release.Name }}{{ end -}}
{{ $name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "jeton.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "jeton.labels" -}}
{{ include "jeton.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "jeton.image" -}}
{{- $tag := .Chart.AppVersion -}}
{{- if .Values.gpus }}{{ $tag = printf "%s-cuda" .Chart.AppVersion }}{{ end -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default $tag }}
{{- end }}

{{- define "jeton.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "jeton.name" .) }}
{{- end }}

{{/* The port of the admin API; 0: there is none. */}}
{{- define "jeton.adminPort" -}}
{{ dig "admin" "port" 0 .Values.config | int }}
{{- end }}

{{/* jeton.yaml: what the values say, over what the pod needs. The admin API listens on the pod's address. */}}
{{- define "jeton.config" -}}
{{- $ours := dict "server" (dict "drain-timeout" (printf "%ds" (int .Values.drainSeconds))) -}}
{{- if ne (include "jeton.adminPort" .) "0" }}{{ $_ := set $ours "admin" (dict "host" "0.0.0.0") }}{{ end -}}
{{- if .Values.prices }}{{ $_ := set $ours "books" (dict "prices" "/etc/jeton/prices.yaml") }}{{ end -}}
{{- if .Values.models }}{{ $_ := set $ours "models" .Values.models }}{{ end -}}
{{ toYaml (mergeOverwrite $ours (deepCopy .Values.config)) }}
{{- end }}
