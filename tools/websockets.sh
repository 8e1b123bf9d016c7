#!/usr/bin/env bash
# websockets.sh FOLDER - a WebSocket client for tests: a Python environment in FOLDER, made once.
#
# Prints the interpreter that has it. Needs python3 with venv; the wheel comes from PyPI.
set -euo pipefail
folder=${1:?usage: websockets.sh FOLDER}
mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9
python=$folder/environment/bin/python
if ! "$python" -c 'import websockets' 2>/dev/null; then
  python3 -m venv "$folder/environment" >&2
  "$python" -m pip install -q --disable-pip-version-check --only-binary :all: 'websockets>=15,<17' >&2
  "$python" -c 'import websockets' >&2
fi
printf '%s\n' "$python"
