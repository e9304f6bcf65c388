#!/usr/bin/env bash
# Builds etcd, kube-apiserver and kubectl for the end-to-end tests, from their Go modules, and
# prints the folder that holds them. Takes some minutes the first time, nothing after that: the
# folder's name holds a hash of the versions. With --path it only prints the folder.
set -euo pipefail
cd "$(dirname "$0")/tools/kube"

version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
sum=$(cat go.mod go.sum | sha256sum | cut -c1-12)
dir=${XDG_CACHE_HOME:-$HOME/.cache}/doorward/kube-$version-$sum
if [ -e "$dir/complete" ] || [ "${1-}" = --path ]; then
  echo "$dir"
  exit
fi

mkdir -p "$dir"
# Without these the server calls itself v0.0.0, and clients refuse to talk to it.
v=k8s.io/component-base/version
minor=${version#v1.}
flags="-s -w -X $v.gitVersion=$version -X $v.gitMajor=1 -X $v.gitMinor=${minor%.*}"
# One set of flags for all three, or the packages that they share are compiled again.
build() { CGO_ENABLED=0 go build -trimpath -ldflags="$flags" -o "$dir/$1" "$2" >&2; }

echo "building kube-apiserver $version, kubectl and etcd into $dir" >&2
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
build kubectl k8s.io/kubernetes/cmd/kubectl
build etcd go.etcd.io/etcd/server/v3
touch "$dir/complete"
echo "$dir"
