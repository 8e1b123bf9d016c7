#!/usr/bin/env bash
# readme-commands.sh - runs every command of the README's `sh` blocks, in order, as a reader would.
#
# `make test` is left out (whoever calls this has run it). `up` runs in the background until the
# end; the ID of `trace` is the call that `say` started. Fails when a command does.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
up=
finish() {
  [ -z "$up" ] || { kill -INT "$up" 2>/dev/null || true; wait "$up" 2>/dev/null || true; }
  rm -rf "$work"
}
trap finish EXIT
ln -s "$root/target" "$work/target"
ln -s "$root/examples" "$work/examples"

fail() { echo "readme-commands: $*" >&2; [ ! -s "$work/up.log" ] || tail -n 40 "$work/up.log" >&2; exit 1; }

# wait_for LIMIT COMMAND...: until the command succeeds, for at most LIMIT seconds
wait_for() {
  local end=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || fail "waited in vain for: $*"
    [ -z "$up" ] || kill -0 "$up" 2>/dev/null || fail "\`up\` ended"
    read -rt 0.2 <> <(:) || true
  done
}

mapfile -t commands < <(awk '/^```sh$/{inside=1; next} /^```$/{inside=0} inside && NF' "$root/README.md")
[ "${#commands[@]}" -ge 8 ] || fail "found only ${#commands[@]} commands in README.md"

id=
for command in "${commands[@]}"; do
  echo "readme-commands: $command"
  case $command in
    'make test') ;;
    make\ *) (cd "$root" && $command) || fail "failed: $command" ;;
    *' up')
      (cd "$work" && exec $command) >"$work/up.log" 2>&1 &
      up=$!
      wait_for 60 test -s "$work/hotel/state/running.json"
      ;;
    *' say '*)
      (cd "$work" && eval "$command") | tee "$work/say.txt" || fail "failed: $command"
      id=$(grep -oE 'amzn1\.echo-api\.request\.[A-Za-z0-9.-]+' "$work/say.txt" | head -n 1)
      [ -n "$id" ] || fail "say printed no requestId"
      ;;
    *' press '*)
      menu() { (cd "$work" && target/debug/skillcall -C hotel --json trace "$id") | grep -q 'SpeakAndGetDigits begins'; }
      wait_for 60 menu
      (cd "$work" && $command) || fail "failed: $command"
      ;;
    *' trace ID') (cd "$work" && ${command/ID/$id}) || fail "failed: $command" ;;
    *) (cd "$work" && $command) || fail "failed: $command" ;;
  esac
done
kill -INT "$up"
wait "$up" || fail "\`up\` did not end well after Ctrl-C"
up=
echo "readme-commands: all ${#commands[@]} ran"
