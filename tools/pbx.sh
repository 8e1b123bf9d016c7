#!/usr/bin/env bash
# pbx.sh - a PBX that nobody here wrote, in a folder of its own: Debian forky with Asterisk and SIPp.
#
#   tools/pbx.sh          makes it if it is not there, and prints its folder
#
# It lies in `pbx` of the target folder (CARGO_TARGET_DIR, or target). Nothing outside of it is
# changed, and it is entered by chroot, so both need root. The packages come from the mirror that
# this system's apt uses; exit code 3 says that this machine lacks root, mmdebstrap or the mirror.
set -euo pipefail
export LC_ALL=C.UTF-8
cd "$(dirname "$0")/.."
say() { printf 'pbx: %s\n' "$*" >&2; }

folder=$(realpath -m "${CARGO_TARGET_DIR:-target}/pbx")
# For each call Asterisk looks up this machine's name, and then that of a root server, to find its own address. Both are here:
# a name server may be far, or none may answer.
knows_this_machine() {
  [ -w "$folder/etc" ] || return 0
  local hosts
  hosts=$(mktemp "$folder/etc/hosts.XXXXXX")
  printf '127.0.0.1 localhost %s A.ROOT-SERVERS.NET\n::1 localhost\n' "$(uname -n)" >"$hosts"
  chmod 644 "$hosts"
  mv "$hosts" "$folder/etc/hosts"
}
is_there() {
  knows_this_machine
  echo "$folder"
  exit 0
}
if [ -e "$folder/usr/sbin/asterisk" ] && [ -e "$folder/complete" ]; then is_there; fi
[ "$(id -u)" = 0 ] || { say "making a Debian of its own needs root"; exit 3; }
command -v mmdebstrap >/dev/null || { say "mmdebstrap is missing (Debian's package of that name)"; exit 3; }

mkdir -p "$(dirname "$folder")"
exec 9>"$folder.lock"
flock 9
if [ -e "$folder/complete" ]; then is_there; fi
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sort -u | grep -m1 '/debian/\?$') ||
  { say "apt names no mirror of Debian"; exit 3; }
say "making a Debian with Asterisk in $folder (about 360 MB, once)"
rm -rf "$folder"
# A mirror may be a copy that was frozen some weeks ago; its signature is checked all the same.
if ! mmdebstrap --variant=minbase --mode=root --quiet \
  --include=asterisk,sip-tester,ca-certificates \
  --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='APT::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  forky "$folder" "$mirror" >&2; then
  rm -rf "$folder"
  say "the mirror did not give Debian forky"
  exit 3
fi
touch "$folder/complete"
is_there
