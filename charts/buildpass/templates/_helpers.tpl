{{- define "buildpass.labels" -}}
app.kubernetes.io/name: buildpass
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "buildpass.selector" -}}
app.kubernetes.io/name: buildpass
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end }}

{{- define "buildpass.name" -}}
{{- if contains "buildpass" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-buildpass" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "buildpass.host" -}}
{{- (urlParse .Values.issuer).host -}}
{{- end }}

{{- define "buildpass.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- /* A duration of buildpass.toml, such as 90s or 5m, in seconds. */ -}}
{{- define "buildpass.seconds" -}}
{{- $factors := dict "s" 1 "m" 60 "h" 3600 "d" 86400 -}}
{{- $unit := . | trunc -1 -}}
{{- mul (trimSuffix $unit . | int) (get $factors $unit) -}}
{{- end }}

{{- /* Time in which a pod ends: readiness fails first, and the requests that then are in flight are answered. */ -}}
{{- define "buildpass.graceSeconds" -}}
{{- $server := .Values.server -}}
{{- $delay := include "buildpass.seconds" ($server.drain_delay | default "0s") | int -}}
{{- $request := include "buildpass.seconds" ($server.request_timeout | default "30s") | int -}}
{{- $drain := include "buildpass.seconds" ($server.drain_timeout | default "15s") | int -}}
{{- add $delay (max $request $drain) 5 -}}
{{- end }}

{{- /* buildpass.toml: what the chart knows, then what the operator adds. */ -}}
{{- define "buildpass.config" -}}
{{- range $key := list "listen" "admin_listen" "state_dir" "trusted_proxies" }}
{{- if hasKey $.Values.server $key }}
{{- fail (printf "server.%s: the chart sets it: services and probes rely on both ports, and trustedProxies names the proxies" $key) }}
{{- end }}
{{- end }}
{{- range $section := list "server" "issuer" "store" "keys" }}
{{- if regexMatch (printf "(?m)^\\s*\\[\\s*%s\\s*\\]" $section) $.Values.config }}
{{- fail (printf "config: the chart writes [%s] itself, and no section may stand twice; keys of [server] are values of server" $section) }}
{{- end }}
{{- end -}}
[server]
listen = "0.0.0.0:8080"
admin_listen = "0.0.0.0:8081"
state_dir = "/var/lib/buildpass"
trusted_proxies = {{ .Values.trustedProxies | toJson }}
{{- range $key, $value := .Values.server }}
{{ $key }} = {{ $value | toJson }}
{{- end }}

[issuer]
url = {{ .Values.issuer | toJson }}
{{- if eq .Values.store.kind "postgresql" }}

[store]
url_file = "/etc/buildpass/database/{{ .Values.store.urlKey }}"
{{- end }}

[keys]
key_encryption_keys = [
{{- range .Values.keys.names }}
  { id = {{ . | toJson }}, file = "/etc/buildpass/keys/{{ . }}" },
{{- end }}
]
{{- with .Values.config }}

{{ . | trim }}
{{- end }}
{{- end }}

{{- /* What the servers and the job before them have in common. */ -}}
{{- define "buildpass.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: { type: RuntimeDefault }
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "buildpass.container" -}}
image: {{ include "buildpass.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
env:
  - { name: BUILDPASS_CONFIG, value: /etc/buildpass/config/buildpass.toml }
volumeMounts:
  - { name: config, mountPath: /etc/buildpass/config, readOnly: true }
  - { name: keys, mountPath: /etc/buildpass/keys, readOnly: true }
  - { name: state, mountPath: /var/lib/buildpass }
  {{- if eq .Values.store.kind "postgresql" }}
  - { name: database, mountPath: /etc/buildpass/database, readOnly: true }
  {{- end }}
  {{- if .Values.store.caSecret }}
  - { name: database-ca, mountPath: /etc/buildpass/database-ca, readOnly: true }
  {{- end }}
  {{- if .Values.clientsSecret }}
  - { name: clients, mountPath: /etc/buildpass/clients, readOnly: true }
  {{- end }}
resources: {{ toYaml .Values.resources | nindent 2 }}
{{- end }}

{{- define "buildpass.volumes" -}}
- name: keys
  secret: { secretName: {{ .Values.keys.secret }}, defaultMode: 0440 }
{{- if eq .Values.store.kind "postgresql" }}
- name: database
  secret: { secretName: {{ .Values.store.urlSecret }}, defaultMode: 0440 }
{{- end }}
{{- if .Values.store.caSecret }}
- name: database-ca
  secret: { secretName: {{ .Values.store.caSecret }} }
{{- end }}
{{- if .Values.clientsSecret }}
- name: clients
  secret: { secretName: {{ .Values.clientsSecret }}, defaultMode: 0440 }
{{- end }}
{{- end }}
