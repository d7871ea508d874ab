#!/usr/bin/env bash
# Runs every fuzz target for a while, one after another, from the seeds and what earlier runs have found (target/fuzz).
# Prints a table; ends with an error if anything broke. What broke something lies in target/fuzz/broken/<target>; it
# becomes a seed with the fix: tests/fuzz/seeds/<target>/<what it is>.
# Usage: tests/fuzz/run.sh [seconds for each, 15 if not given | --full: 600] [target…]
# Needs nightly Rust (NIGHTLY names another than "nightly") and cargo-fuzz: cargo install cargo-fuzz --locked --version 0.13.2
set -uo pipefail
cd "$(dirname "$0")"
seconds=${1:-15}
[ "$seconds" != --full ] || seconds=600
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || for file in targets/*.rs; do targets+=("$(basename "$file" .rs)"); done
work=$(realpath ../..)/target/fuzz

# The library has no unsafe code for a sanitizer to watch over.
how=(--fuzz-dir . --dev --sanitizer none --target-dir "$work")
# What is tried is what is shipped.
cp ../../Cargo.lock Cargo.lock
cargo "+${NIGHTLY:-nightly}" fuzz build "${how[@]}" || exit 1

# Books on a disk of memory where there is one: what is asked for here is answers, not durability.
books=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")")
trap 'rm -rf "$books"' EXIT
broken=0
printf '%-12s %10s %8s %8s %10s %10s  %s\n' target seconds runs 'a second' coverage corpus broken
for target in "${targets[@]}"; do
    mkdir -p "$work/corpus/$target" "$work/broken/$target"
    before=$(ls "$work/broken/$target" | wc -l)
    binary=$(ls -t "$work"/*/debug/"$target" | head -1)
    began=$(date +%s)
    TMPDIR=$books "$binary" "$work/corpus/$target" "seeds/$target" -dict=words.dict -artifact_prefix="$work/broken/$target/" \
        -max_total_time="$seconds" -seed=1 -timeout=10 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 >"$work/$target.log" 2>&1
    status=$?
    found=$(($(ls "$work/broken/$target" | wc -l) - before))
    { [ $status -eq 0 ] && [ $found -eq 0 ]; } || broken=1
    took=$(($(date +%s) - began))
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$target.log")
    coverage=$(grep -oE 'cov: [0-9]+' "$work/$target.log" | sed -n '1s/cov: //p;$s/cov: //p' | paste -sd/)
    corpus=$(ls "$work/corpus/$target" | wc -l)
    printf '%-12s %10s %8s %8s %10s %10s  %s\n' "$target" $took "${runs:-?}" $((${runs:-0} / (took > 0 ? took : 1))) "$coverage" $corpus \
        "$([ $status -eq 0 ] && echo no || echo "yes: $work/$target.log")"
done
exit $broken
