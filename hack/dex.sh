#!/usr/bin/env bash
# Builds dex for the end-to-end tests, from its Go module, and prints the folder that holds it.
# Takes a minute the first time, nothing after that: the folder's name holds a hash of the versions.
# With --path it only prints the folder.
set -euo pipefail
cd "$(dirname "$0")/tools/dex"

module=github.com/dexidp/dex
sum=$(cat go.mod go.sum | sha256sum | cut -c1-12)
dir=${XDG_CACHE_HOME:-$HOME/.cache}/doorward/dex-$sum
if [ -e "$dir/complete" ] || [ "${1-}" = --path ]; then
  echo "$dir"
  exit
fi

mkdir -p "$dir"
echo "building $module $(go list -m -f '{{.Version}}' $module) into $dir" >&2
CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$dir/dex" $module/cmd/dex >&2
touch "$dir/complete"
echo "$dir"
