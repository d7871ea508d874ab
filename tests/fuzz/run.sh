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
limits=(-timeout=10 -rss_limit_mb=2048 -max_len=4096 -report_slow_units=3600)
status=0

printf '%-12s %8s %10s %9s %14s %7s  %s\n' target seconds runs 'a second' coverage corpus broken
for target in "${targets[@]}"; do
    binary=$(ls -t "$work"/*/debug/"$target" | head -1)
    corpus=$work/corpus/$target broken=$work/broken/$target log=$work/$target.log
    mkdir -p "$corpus" "$broken"
    began=$(date +%s) told=no
    : >"$log"
    while left=$((began + seconds - $(date +%s))); [ $left -gt 0 ]; do
        before=$(ls "$broken")
        TMPDIR=$books "$binary" "$corpus" "seeds/$target" -dict=words.dict -artifact_prefix="$broken/" "${limits[@]}" \
            -max_total_time=$left -seed=1 -print_final_stats=1 >>"$log" 2>&1 && break
        new=$(comm -13 <(echo "$before") <(ls "$broken"))
        # On a busy machine anything may take long once.
        if [[ $new == timeout-* ]] && TMPDIR=$books "$binary" "${limits[@]}" "$broken/$new" >>"$log" 2>&1; then
            rm "$broken/$new"
            told="no; slow once, not again"
            continue
        fi
        told="yes: $log" status=1
        grep -am1 -A2 panicked "$log" | cut -c -2000 >&2
        break
    done
    took=$(($(date +%s) - began))
    runs=$(awk '/^stat::number_of_executed_units:/ { runs += $2 } END { print runs + 0 }' "$log")
    coverage=$(grep -aoE 'cov: [0-9]+' "$log" | sed -n '1s/cov: //p;$s/cov: //p' | paste -sd/)
    printf '%-12s %8s %10s %9s %14s %7s  %s\n' "$target" $took "$runs" $((runs / (took > 0 ? took : 1))) "$coverage" "$(ls "$corpus" | wc -l)" "$told"
done
exit $status
