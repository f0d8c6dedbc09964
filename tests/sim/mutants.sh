#!/bin/sh
# Does the simulation bite? Each patch of tests/sim/mutants/ breaks one rule in a scratch copy of the rules; the simulation
# must then fail. The rules import nothing but `nlu`, so only these two modules are built.
#   tests/sim/mutants.sh [number-or-name-part ...]     SEEDS=16 seeds a mutant; TARGET=folder of built dependencies
# Exit 0 when all were caught, 1 when one was missed, 2 when one no longer applies.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
seeds=${SEEDS:-16}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/src" "$scratch/tests"
cp -r "$root/src/control" "$root/src/nlu" "$scratch/src/"
cp -r "$root/tests/sim" "$scratch/tests/"
printf '//! The rules alone.\npub mod control;\npub mod nlu;\n' > "$scratch/src/lib.rs"
cp "$root/Cargo.lock" "$scratch/"
cd "$scratch" || exit 2
# Only the dependencies that the copy names: nothing else has to be built.
{
    sed -n '/^\[package\]/,/^$/p' "$root/Cargo.toml" | grep -v '^default-run'
    printf '[lib]\npath = "src/lib.rs"\n\n[dependencies]\n'
    sed -n '/^\[dependencies\]/,/^$/p' "$root/Cargo.toml" | grep '=' | while read -r line; do
        name=$(echo "${line%% *}" | sed 's/^md-5$/md5/; s/-/_/g')
        if grep -rqE "\b$name::" src tests; then echo "$line"; fi
    done
    printf '\n[profile.dev]\nopt-level = 1\ndebug = false\n'
} > Cargo.toml
export CARGO_TARGET_DIR="${TARGET:-$root/target}"

simulate() {
    cargo test --quiet --test sim --no-run > build.log 2>&1 || { echo "does not build"; return 3; }
    SEEDS=$seeds cargo test --quiet --test sim share > run.log 2>&1
}

simulate || { echo "the simulation fails without any mutant:"; tail -n 20 build.log run.log; exit 2; }
worst=0
for patch in "$root"/tests/sim/mutants/*.patch; do
    name=$(basename "$patch" .patch)
    if [ $# -gt 0 ]; then
        wanted=no
        for part in "$@"; do case $name in *"$part"*) wanted=yes ;; esac; done
        [ $wanted = yes ] || continue
    fi
    if ! patch --quiet -p1 < "$patch"; then
        echo "STALE   $name"; worst=2; continue
    fi
    if simulate; then
        echo "MISSED  $name"; [ $worst -eq 2 ] || worst=1
    elif [ -s run.log ] && grep -q 'panicked at' run.log; then
        why=$(grep -A1 -m1 'panicked at' run.log | tail -n 1 | cut -c1-100)
        found=$(sed -n 's/.*failed at seed \([0-9]*\);.*/\1/p' run.log | sort -n | tr '\n' ' ')
        echo "caught  $name: seeds ${found}: $why"
    else
        echo "BROKEN  $name: $(tail -n 1 build.log)"; worst=2
    fi
    : > run.log
    patch --quiet -R -p1 < "$patch"
done
exit $worst
