#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME, one after another: go test fuzzes one at a time.
set -euo pipefail
cd "$(dirname "$0")/.."

for file in $(grep -rl --include='*_test.go' '^func Fuzz' .); do
  for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
    echo "fuzzing $target in $(dirname "$file") for ${FUZZTIME:=10s}"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$FUZZTIME" "$(dirname "$file")"
  done
done
