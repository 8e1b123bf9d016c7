#!/usr/bin/env bash
# strangers.sh FOLDER - programs from PyPI that the tests meet strangers and readers with: SIPVicious, which scans,
# the reader of Prometheus' text form, and OpenTelemetry's definitions. A Python environment in FOLDER, made once.
#
# Prints the folder with the programs. Needs python3 with venv; the wheels come from PyPI.
set -euo pipefail
folder=${1:?usage: strangers.sh FOLDER}
mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9
bin=$folder/environment/bin
if ! "$bin/python" -c 'import sipvicious, prometheus_client, opentelemetry.proto' 2>/dev/null; then
  python3 -m venv "$folder/environment" >&2
  "$bin/python" -m pip install -q --disable-pip-version-check --only-binary :all: \
    sipvicious==0.3.8 prometheus-client opentelemetry-proto >&2
  "$bin/python" -c 'import sipvicious, prometheus_client, opentelemetry.proto' >&2
fi
printf '%s\n' "$bin"
