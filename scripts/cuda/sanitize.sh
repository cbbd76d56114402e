#!/usr/bin/env bash
# compute-sanitizer's memcheck, racecheck and initcheck over a test binary on this machine's card.
#   scripts/cuda/sanitize.sh BINARY [GTEST_FILTER]
# The tool is looked for in PATH, then in CUDA_HOME.
set -euo pipefail
binary=$1
filter=${2:--*DeathTest*} # without those that fork, which CUDA does not survive

tool=$(command -v compute-sanitizer || true)
for folder in bin compute-sanitizer; do
  candidate=${CUDA_HOME:-/usr/local/cuda}/$folder/compute-sanitizer
  if [[ -z $tool && -x $candidate ]]; then tool=$candidate; fi
done
if [[ -z $tool ]]; then
  echo "sanitize-cuda: no compute-sanitizer: install NVIDIA's CUDA toolkit and put it into PATH, or set CUDA_HOME" >&2
  exit 1
fi
if ! build/cuda/bin/gpu_bench --card; then
  echo "sanitize-cuda: needs a card; on the emulator: make sanitize-asan (memory), make races" >&2
  exit 1
fi
for check in memcheck racecheck initcheck; do
  echo "== $check"
  "$tool" --tool "$check" --error-exitcode 1 "$binary" --gtest_brief=1 --gtest_filter="$filter"
done
