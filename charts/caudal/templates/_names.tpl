{{- define "caudal.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "caudal.fullname" -}}
{{- $name := include "caudal.name" . -}}
{{- $long := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- .Values.fullnameOverride | default $long | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* Name of what has no namespace: releases of one name in two namespaces do not collide. */}}
{{- define "caudal.clusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "caudal.fullname" .) -}}
{{- end -}}

{{- define "caudal.serviceAccount" -}}
{{- $own := ternary (include "caudal.fullname" .) "default" .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default $own -}}
{{- end -}}

{{- define "caudal.lease" -}}
{{- include "caudal.fullname" . -}}
{{- end -}}

{{/* Secret that the operator makes once and that outlives the release. */}}
{{- define "caudal.hmacSecret" -}}
{{- printf "%s-hmac-key" (include "caudal.fullname" .) -}}
{{- end -}}

{{- define "caudal.selector" -}}
app.kubernetes.io/name: {{ include "caudal.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "caudal.labels" -}}
app.kubernetes.io/name: {{ include "caudal.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: caudal
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Reference of an image: (dict "image" … "chart" .Chart) gives repository:tag, or repository@digest. */}}
{{- define "caudal.image" -}}
{{- if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository (.image.tag | default .chart.AppVersion) -}}
{{- end -}}
{{- end -}}
