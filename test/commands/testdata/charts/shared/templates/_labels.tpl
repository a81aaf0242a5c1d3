{{- define "shared.labels" -}}
managed-by: {{ .Release.Service }}
instance: {{ .Release.Name }}
{{- end -}}
