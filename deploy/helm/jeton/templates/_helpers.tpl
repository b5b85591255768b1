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

{{/* What config says that other values say. */}}
{{- define "jeton.checks" -}}
{{- range $key, $instead := dict "host" "it is 0.0.0.0 in a pod" "port" "it is 8000 in a pod; set service.port" "drain-timeout" "set drainSeconds" -}}
{{- if hasKey ($.Values.config.server | default dict) $key }}{{ fail (printf "config.server.%s cannot be set: %s" $key $instead) }}{{ end -}}
{{- end -}}
{{- range $key, $instead := dict "folder" "it is /var/lib/jeton/books in a pod, where the volume is" "node" "it is the pod's name" -}}
{{- if hasKey ($.Values.config.books | default dict) $key }}{{ fail (printf "config.books.%s cannot be set: %s" $key $instead) }}{{ end -}}
{{- end -}}
{{- if hasKey .Values.config "models" }}{{ fail "config.models cannot be set: set models" }}{{ end -}}
{{- if eq (include "jeton.adminPort" .) "8000" }}{{ fail "config.admin.port cannot be 8000: the API has that port" }}{{ end -}}
{{- end }}

{{/* jeton.yaml: what the values say, over what the pod needs. The admin API listens on the pod's address. */}}
{{- define "jeton.config" -}}
{{- include "jeton.checks" . -}}
{{- $server := dict "host" "0.0.0.0" "drain-timeout" (printf "%ds" (int .Values.drainSeconds)) -}}
{{- $books := dict "folder" "/var/lib/jeton/books" -}}
{{- if .Values.prices }}{{ $_ := set $books "prices" "/etc/jeton/prices.yaml" }}{{ end -}}
{{- $ours := dict "server" $server "books" $books -}}
{{- if ne (include "jeton.adminPort" .) "0" }}{{ $_ := set $ours "admin" (dict "host" "0.0.0.0") }}{{ end -}}
{{- if .Values.models }}{{ $_ := set $ours "models" .Values.models }}{{ end -}}
{{ toYaml (mergeOverwrite $ours (deepCopy .Values.config)) }}
{{- end }}
