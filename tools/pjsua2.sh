#!/usr/bin/env bash
# pjsua2.sh FOLDER - PJSIP as a scriptable phone, for tests: a Python environment in FOLDER, made once.
#
# Prints the interpreter that has it. Needs python3 with venv; the wheel comes from PyPI.
set -euo pipefail
folder=${1:?usage: pjsua2.sh FOLDER}
mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9
python=$folder/environment/bin/python
if ! "$python" -c 'import pjsua2' 2>/dev/null; then
  python3 -m venv "$folder/environment" >&2
  "$python" -m pip install -q --disable-pip-version-check --only-binary :all: pjsua2-python==2.15.1.post1 >&2
  "$python" -c 'import pjsua2' >&2
fi
printf '%s\n' "$python"
