#!/usr/bin/env bash
# compute-sanitizer's memcheck, racecheck and initcheck over test binaries on this machine's card; one line a check at the end.
#   [FILTER=GTEST_FILTER] [CHECKS="memcheck racecheck"] scripts/cuda/sanitize.sh BINARY...
# The tool is looked for in PATH, in CUDA_HOME, then in what `make cuda-toolkit` brought.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
filter=${FILTER:--*DeathTest*} # without those that fork, which CUDA does not survive
checks=${CHECKS:-memcheck racecheck initcheck}
if [[ $# -eq 0 ]]; then
  echo "usage: scripts/cuda/sanitize.sh BINARY..., for example build/cuda/tests/kernels_gpu_test" >&2
  exit 2
fi

tool=$(command -v compute-sanitizer || true)
for candidate in "${CUDA_HOME:-/usr/local/cuda}"/{bin,compute-sanitizer}/compute-sanitizer \
  "$root"/.run/cuda/nvidia/cu13/bin/compute-sanitizer; do
  if [[ -z $tool && -x $candidate ]]; then tool=$candidate; fi
done
if [[ -z $tool ]]; then
  echo "sanitize-cuda: no compute-sanitizer: run \`make cuda-toolkit\`, or put that of an installed toolkit into PATH" >&2
  exit 1
fi
if ! "$root"/build/cuda/bin/gpu_bench --card; then
  echo "sanitize-cuda: needs a card; on the emulator: make sanitize-asan (memory), make races" >&2
  exit 1
fi

summary=()
failed=0
ran=0
for binary in "$@"; do
  tests=$("$binary" --gtest_list_tests --gtest_filter="$filter")
  if ! grep -q '^  ' <<<"$tests"; then # suites begin their line, tests are indented
    summary+=("$(basename "$binary"): no tests")
    continue
  fi
  ran=1
  for check in $checks; do
    echo "== $check $(basename "$binary")"
    options=(--tool "$check" --error-exitcode 1)
    # Races in the kernels of cuBLAS are not ours to mend; ours are those of namespace kernels::gpu, by their mangled names.
    if [[ $check == racecheck ]]; then options+=(--kernel-name kernel_substring=7kernels3gpu); fi
    result=clean
    "$tool" "${options[@]}" "$binary" --gtest_brief=1 --gtest_filter="$filter" || { result=FAILED; failed=1; }
    summary+=("$check $(basename "$binary"): $result")
  done
done
printf '%s\n' "${summary[@]}"
if [[ $ran -eq 0 ]]; then
  echo "sanitize-cuda: FILTER matches no test" >&2
  exit 1
fi
exit $failed
