#!/bin/sh
# Brings what building and testing need on Debian 12: nothing is done when nothing is missing.
# To build: cmake g++ make pkg-config (whisper.cpp), libpocketsphinx-dev. To run: pocketsphinx-en-us, espeak-ng.
# To test against real peers: sip-tester, baresip, kamailio, sipsak, sipvicious, tcpdump, sox, chromium, postgresql; a test that misses one
# says SKIPPED, so that a system without them is no reason to fail.
set -eu

# Where Debian keeps servers.
PATH=$PATH:/usr/sbin:/sbin
need=""
extra=""
want() { # package, then a command that succeeds when it is there
    package=$1
    shift
    "$@" >/dev/null 2>&1 || need="$need $package"
}
offer() { # the same for what only tests use
    package=$1
    shift
    "$@" >/dev/null 2>&1 || extra="$extra $package"
}
has() { command -v "$1" >/dev/null 2>&1; }
has_postgres() { has postgres || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; }

if ! has cargo; then
    echo "Rust is missing: install it from https://rustup.rs, then run this again." >&2
    exit 1
fi

want cmake has cmake
want g++ has g++
want make has make
want pkg-config has pkg-config
want libpocketsphinx-dev pkg-config --exists pocketsphinx
want pocketsphinx-en-us test -d /usr/share/pocketsphinx/model/en-us
want espeak-ng has espeak-ng
want python3 has python3
want curl has curl
offer sip-tester has sipp
offer baresip has baresip
offer kamailio has kamailio
offer sipsak has sipsak
offer sipvicious has svmap
offer tcpdump has tcpdump
offer sox has sox
offer chromium has chromium
offer postgresql has_postgres

[ -z "$need$extra" ] && exit 0

# Ends: with an error when building or running needs what is missing, else with a word about the tests.
give_up() {
    if [ -n "$need" ]; then
        echo "Missing here:$need" >&2
        echo "$1" >&2
        exit 1
    fi
    echo "Missing here:$extra; tests that need them say SKIPPED. $1" >&2
    exit 0
}

has apt-get || give_up "This system has no apt-get: install them by your own package manager (the names are Debian's), then run this again."
as_root=""
if [ "$(id -u)" -ne 0 ]; then
    has sudo || give_up "Run as root: apt-get install -y$need$extra"
    as_root="sudo"
fi
install() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

echo "Installing:$need$extra"
$as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq || give_up "apt-get update failed."
# shellcheck disable=SC2086 # the names are words
if [ -n "$need" ] && ! install $need; then
    give_up "apt-get could not install them."
fi
for package in $extra; do
    install "$package" || echo "Not installed: $package; tests that need it say SKIPPED." >&2
done
