#!/usr/bin/env bash
# setup.sh - what a build, a demo or the tests need on this machine.
#
#   tools/setup.sh build|demo|test|bench     install or list what is missing for that job
#
# On Debian and its kin, as root, missing packages are installed with apt-get. Without root, or
# without apt-get, they are listed and the script stops with exit code 1 before anything is built.
# It never calls sudo by itself; `SKILLCALL_SUDO=1` asks it to.
set -euo pipefail
export LC_ALL=C.UTF-8

case ${1-} in
  build | demo | test | bench) job=$1 ;;
  -h | --help) sed -n '2,/^set -euo/{/^set -euo/!{s/^# \{0,1\}//;p}}' "$0"; exit 0 ;;
  *) echo "usage: ${0##*/} build|demo|test|bench" >&2; exit 2 ;;
esac

say() { printf 'setup: %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1 || [ -x "$HOME/.cargo/bin/$1" ]; }

# One line a need: the jobs that have it, the program that shows it is there, Debian's package,
# Homebrew's formula, and what it is for.
needs() {
  cat <<'TABLE'
build,demo,test,bench cc   gcc           gcc         linking Rust programs and building C parts of crates
build,demo,test,bench /usr/include/stdio.h libc6-dev - the C library's headers
build,demo,test,bench /usr/include/openssl/ssl.h libssl-dev openssl DTLS with devices that have RSA certificates
build,demo,test,bench pkg-config pkg-config  pkg-config  finding that library
build,demo,test,bench cmake    cmake         cmake       building libopus
demo,test       espeak-ng  espeak-ng     espeak-ng   text to speech
test,bench      sipp       sip-tester    sipp        a SIP peer that nobody here wrote
bench           taskset    util-linux    -           the sidecar on a core of its own
bench           rtpengine  rtpengine-daemon -        a media proxy that nobody here wrote
test            baresip    baresip-core  baresip     a SIP phone that nobody here wrote
test            sipsak     sipsak        sipsak      a stranger that nobody here wrote
test            tshark     tshark        wireshark   reads captures as nobody here wrote it
test            node       nodejs        node        checks the signing vectors; runs Amazon's own packages as judges
test,bench      /usr/sbin/kamailio kamailio - a SIP proxy and registrar that nobody here wrote
test,bench      /usr/lib/*/kamailio/modules/tls.so kamailio-tls-modules - its TLS
test            unbound    unbound       unbound     a name server that nobody here wrote
test            chromium   chromium      chromium    a browser that nobody here wrote, in an Echo's place
test            chromedriver chromium-driver - drives it
test            turnserver coturn        coturn      a relay that nobody here wrote
test            nft        nftables      -           address translations of the tests' own
test            ip         iproute2      -           networks of the tests' own
test            openssl    openssl       openssl     a TLS peer that nobody here wrote
test            npm        npm           node        plug-ins in JavaScript, the skill in Node, and those judges
test,bench      mmdebstrap mmdebstrap  -           a Debian with Asterisk, in a folder of the target folder
test            python3    python3       python3     checks the signing vectors as a handler author would
test            /usr/share/python-wheels python3-venv - the Python environments of PJSIP and aiortc, peers that nobody here wrote
TABLE
}

present() {
  case $1 in
    /usr/*) [ "$(uname -s)" = Darwin ] || compgen -G "$1" >/dev/null ;;
    *) have "$1" ;;
  esac
}

if ! have cargo; then
  say "no cargo here. Install Rust's stable toolchain with rustup, then run this again."
  exit 1
fi

packages=() formulae=() lines=()
while read -r jobs program package formula purpose; do
  [[ ",$jobs," == *",$job,"* ]] || continue
  present "$program" && continue
  packages+=("$package")
  [ "$formula" = - ] || formulae+=("$formula")
  lines+=("$(printf '  %-14s %s' "$package" "$purpose")")
done < <(needs)

[ ${#packages[@]} -gt 0 ] || { say "everything for '$job' is here"; exit 0; }

say "missing for '$job':"
printf '%s\n' "${lines[@]}" >&2

if have apt-get; then
  root=()
  if [ "$(id -u)" != 0 ]; then
    if [ "${SKILLCALL_SUDO-}" = 1 ] && have sudo; then
      root=(sudo)
    else
      say "not root, so nothing was installed. Run this, then start again:"
      printf '  sudo apt-get install --no-install-recommends %s\n' "${packages[*]}" >&2
      say "(or set SKILLCALL_SUDO=1, and this script calls sudo itself)"
      exit 1
    fi
  fi
  say "apt-get install ${packages[*]}"
  "${root[@]}" apt-get update -qq </dev/null >&2 || say "apt-get update failed; trying with the lists that are here"
  if ! "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${packages[@]}" </dev/null >&2; then
    say "apt-get could not install: ${packages[*]}. Install them by hand, then start again."
    exit 1
  fi
  say "done"
  exit 0
fi

if [ "$(uname -s)" = Darwin ]; then
  say "install them, then start again:"
  printf '  brew install %s\n' "${formulae[*]-}" >&2
else
  say "no apt-get on this system. Install these with its own package manager (Debian's names), then start again:"
  printf '  %s\n' "${packages[*]}" >&2
fi
exit 1
