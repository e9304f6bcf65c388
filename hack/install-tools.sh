#!/usr/bin/env bash
# Installs the programs that the tests run Doorward against: Debian's packages for nginx, wrk,
# h2load, curl, tmux, Chromium and what Keycloak needs, and the tools of hack/tools from their Go modules.
# Run it as often as you like: what is there stays as it is. `make test` does without: a test whose
# program is missing is skipped and says so.
set -euo pipefail
cd "$(dirname "$0")"

# program -> Debian package
packages=()
need() { command -v "$1" >/dev/null || packages+=("$2"); }
PATH=$PATH:/usr/sbin # where Debian puts servers
need nginx nginx
need wrk wrk
need h2load nghttp2-client
need curl curl
need openssl openssl
need tmux tmux
need chromium chromium
need java openjdk-17-jre-headless # for Keycloak, as the next two
need mvn maven
need unzip unzip
need gcc gcc # for the race detector
[ -e /usr/include/stdlib.h ] || packages+=(libc6-dev)

if [ ${#packages[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    echo "install-tools: apt-get is not here; install these by other means: ${packages[*]}" >&2
    exit 1
  fi
  sudo=
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "install-tools: run as root, or install sudo, to get: ${packages[*]}" >&2; exit 1; }
    sudo=sudo
  fi
  # Debian starts a server as soon as it is installed, unless this file says no.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    trap '$sudo rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' | $sudo tee /usr/sbin/policy-rc.d >/dev/null
    $sudo chmod +x /usr/sbin/policy-rc.d
  fi
  echo "install-tools: installing ${packages[*]}"
  if ! { $sudo apt-get update -qq && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null; }; then
    echo "install-tools: could not install ${packages[*]}: is the package mirror reachable?" >&2
    exit 1
  fi
fi

bin=${XDG_CACHE_HOME:-$HOME/.cache}/doorward/bin # the Makefile has it on its PATH
mkdir -p "$bin"
cd tools
if ! GOBIN=$bin go install tool; then
  echo "install-tools: could not build the tools of hack/tools: is the Go module proxy reachable?" >&2
  exit 1
fi
echo "install-tools: all there; Go tools are in $bin"
