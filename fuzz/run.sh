#!/bin/sh
# Runs one target for so many seconds: fuzz/run.sh TARGET [SECONDS] [options of libFuzzer or files to replay]
# fuzz/run.sh TARGET merge keeps in corpus/ the fewest of the inputs found that reach as much.
set -eu
cd "$(dirname "$0")"
target=$1
seconds=${2:-60}
[ $# -ge 2 ] && shift 2 || shift 1
host=$(rustc -vV | sed -n 's/^host: //p')
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
coverage="$coverage -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"
RUSTFLAGS="$coverage" cargo build --release --target "$host" --bin "$target"
program="target/$host/release/$target"
mkdir -p "found/$target" "artifacts/$target"
if [ "$seconds" = merge ]; then
    exec "$program" -merge=1 "corpus/$target" "found/$target"
elif [ $# -gt 0 ] && [ -f "$1" ]; then
    exec "$program" "$@"
fi
exec "$program" "found/$target" "corpus/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="artifacts/$target/" -print_final_stats=1 "$@"
