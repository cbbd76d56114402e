#!/usr/bin/env bash
# Lists and installs the system packages that are missing. Usage: scripts/deps.sh [--check]   (--check: list only, exit 1)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

if ! command -v dpkg-query >/dev/null; then
  echo "deps: this is not Debian or Ubuntu. Install by hand what scripts/packages.txt lists, then: make build" >&2
  exit 1
fi

installed() { dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }
known() { apt-cache show "$1" >/dev/null 2>&1; }
# A tool that is on the PATH anyway (a newer cmake, another JDK) needs no package.
provided() {
  case $1 in
    cmake|ccache|mold|git|maven|python3|openssl|curl) local tool=${1/maven/mvn}; command -v "$tool" >/dev/null ;;
    procps) command -v pkill >/dev/null ;;
    ninja-build) command -v ninja >/dev/null ;;
    *jre-headless*) command -v java >/dev/null ;;
    python3-pip) python3 -m pip --version >/dev/null 2>&1 ;;
    *) return 1 ;;
  esac
}

find_missing() {
  missing=()
  local line choice alternatives
  while IFS= read -r line; do
    line=${line%%#*}
    [ -n "${line// /}" ] || continue
    read -ra alternatives <<<"${line//|/ }"
    choice=""
    for package in "${alternatives[@]}"; do
      if installed "$package" || provided "$package"; then choice=have; break; fi
    done
    if [ "$choice" != have ]; then
      for package in "${alternatives[@]}"; do
        if known "$package"; then choice=$package; break; fi
      done
      missing+=("${choice:-${alternatives[0]}}")
    fi
  done <"$here/packages.txt"
}

find_missing
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi
if [ "${1:-}" = --check ]; then
  echo "missing packages: ${missing[*]}"
  exit 1
fi
sudo=""
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "deps: as root, run: apt-get update && apt-get install -y ${missing[*]}" >&2
    exit 1
  }
  sudo=sudo
fi
echo "Updating the package list ..."
if ! $sudo apt-get -qq update; then
  echo "deps: apt-get update failed. Check the network and /etc/apt/sources.list, then run: make deps" >&2
  exit 1
fi
find_missing  # names are chosen among what the fresh list knows
echo "Installing ${#missing[@]} packages: ${missing[*]}"
log=$(mktemp)
if ! $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "deps: apt-get could not install them; the whole log is $log" >&2
  exit 1
fi
rm -f "$log"
echo "Packages are complete."
