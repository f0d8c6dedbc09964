#!/bin/sh
# Brings what building and testing need on Debian 12: nothing is done when nothing is missing.
# To build: cmake g++ make pkg-config (whisper.cpp), libpocketsphinx-dev. To run: pocketsphinx-en-us, espeak-ng.
# To test against real peers: sip-tester, baresip, kamailio, sox, postgresql, and where apt has them sipsak, sipvicious, tcpdump; a test
# that misses one says SKIPPED.
set -eu

need=""
want() { # package, then a command that succeeds when it is there
    package=$1
    shift
    "$@" >/dev/null 2>&1 || need="$need $package"
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
want sip-tester has sipp
want baresip has baresip
want kamailio has kamailio
want sox has sox
want python3 has python3
want postgresql has_postgres
want curl has curl

# What the tests can do without: asked of apt only where it is known there, and no reason to fail.
extra=""
offer() { # package, its command
    has "$2" || ! has apt-cache || ! apt-cache show "$1" >/dev/null 2>&1 || extra="$extra $1"
}
offer sipsak sipsak
offer sipvicious svmap
offer tcpdump tcpdump

install() {
    as_root=""
    [ "$(id -u)" -eq 0 ] || as_root="sudo"
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

if [ -n "$extra" ]; then
    # shellcheck disable=SC2086 # the names are words
    install $extra 2>/dev/null || echo "Not installed:$extra; tests that need them say SKIPPED"
fi

[ -z "$need" ] && exit 0

if ! has apt-get; then
    echo "Missing here:$need" >&2
    echo "This system has no apt-get. Install these by your own package manager (the names are Debian's), then run this again." >&2
    exit 1
fi

as_root=""
if [ "$(id -u)" -ne 0 ]; then
    if ! has sudo; then
        echo "Missing here:$need" >&2
        echo "Run as root: apt-get install -y$need" >&2
        exit 1
    fi
    as_root="sudo"
fi

echo "Installing:$need"
$as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
# shellcheck disable=SC2086 # the names are words
if ! install $need; then
    echo "apt-get could not install:$need" >&2
    exit 1
fi
