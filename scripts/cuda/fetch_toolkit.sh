#!/usr/bin/env bash
# Brings nvcc 13.0, the CUDA runtime and cuBLAS from PyPI into a folder; nothing when they are there or when a toolkit is
# installed. Usage: scripts/cuda/fetch_toolkit.sh [FOLDER]     default: .run/cuda
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$here/../../.run/cuda}

if [ -n "${CUDA_HOME:-}" ] && [ -x "$CUDA_HOME/bin/nvcc" ]; then exit 0; fi
if [ -x /usr/local/cuda/bin/nvcc ]; then exit 0; fi
if cmp -s "$here/requirements.txt" "$folder/requirements.txt"; then exit 0; fi
echo "CUDA toolkit: nvcc 13.0 and libraries from PyPI (about 1 GB unpacked) into $folder ..."
rm -rf "$folder"
mkdir -p "$folder"
log=$(mktemp)
if ! python3 -m pip install --quiet --disable-pip-version-check --no-warn-script-location --target "$folder" \
    --requirement "$here/requirements.txt" >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "fetch_toolkit: pip could not install it. Check the network or pip's index settings, or set CUDA_HOME to an" \
    "installed toolkit of version 13; then run the command again." >&2
  exit 1
fi
rm -f "$log"
cp "$here/requirements.txt" "$folder/requirements.txt"  # last: says that the folder is whole
