#!/usr/bin/env bash
# Runs the end-to-end tests: those behind the build tag e2e, whose names begin with TestE2E.
# Those that need a Kubernetes API server, Keycloak, oauth2-proxy or dex use the one that hack/kube-apiserver.sh,
# hack/keycloak.sh, hack/oauth2-proxy.sh or hack/dex.sh has built; without it they are skipped, or fail when
# DOORWARD_REQUIRE_TOOLS is set.
set -euo pipefail
cd "$(dirname "$0")/.."

kube=$(hack/kube-apiserver.sh --path)
if [ -e "$kube/complete" ]; then
  PATH=$kube:$PATH
fi

keycloak=$(hack/keycloak.sh --path)
if [ -e "$keycloak/complete" ]; then
  PATH=$keycloak/bin:$PATH
fi

oauth2_proxy=$(hack/oauth2-proxy.sh --path)
if [ -e "$oauth2_proxy/complete" ]; then
  PATH=$oauth2_proxy:$PATH
fi

dex=$(hack/dex.sh --path)
if [ -e "$dex/complete" ]; then
  PATH=$dex:$PATH
fi

packages=$(grep -rlE --include='*_test.go' '^//go:build e2e' . | xargs -n1 dirname | sort -u)
# One package at a time: they measure, and share the machine's ports and two cores.
# shellcheck disable=SC2086
go test -tags e2e -count=1 -p 1 -timeout 15m -run '^TestE2E' "$@" $packages
