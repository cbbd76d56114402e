#pragma once

#include <climits>
#include <limits>

#include "kernels/primitives/gpu/warp.h"
#include "kernels/sampling/sample_gpu.h"

// What the two halves of the sampling kernel share (sample.cu tells how they work together).
namespace kernels::gpu::sampling {

inline constexpr int kListMax = 512;         // tokens that one slice hands on
inline constexpr int kCandidatesMax = 2048;  // tokens that are sorted at once
inline constexpr int kSortedAtOnce = 256;    // so few are sorted sooner than counted
inline constexpr int kBins = 2560;
inline constexpr int kSlicesMax = 512;  // of a row
inline constexpr int kRowsMax = 16384;  // of a launch
inline constexpr float kInfinity = std::numeric_limits<float>::infinity();
inline constexpr float kFloatMax = std::numeric_limits<float>::max();
inline constexpr float kLog2E = 1.44269504F;
// log2(1e22): what lies further below the best is no candidate, as on the host.
inline constexpr float kDepthMax = 73.0824F;

__device__ __forceinline__ int Thread() { return static_cast<int>(threadIdx.x); }
__device__ __forceinline__ int WarpLane() { return static_cast<int>(threadIdx.x) % kWarpLanes; }
__device__ __forceinline__ int WarpOfBlock() { return static_cast<int>(threadIdx.x) / kWarpLanes; }

// A token and its logit in one number that is smaller for the better one: of equal logits, for the lower token id.
using Candidate = unsigned long long;

__device__ __forceinline__ Candidate CandidateOf(float logit, int token) {
  const std::uint32_t bits = FloatToBits(logit + 0.0F);  // -0 becomes +0, its equal
  const std::uint32_t rising = (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
  return static_cast<Candidate>(~rising) << 32 | static_cast<std::uint32_t>(token);
}
__device__ __forceinline__ std::uint32_t KeyOf(Candidate candidate) {
  return static_cast<std::uint32_t>(candidate >> 32);
}
__device__ __forceinline__ int TokenOf(Candidate candidate) { return static_cast<int>(candidate & 0xFFFFFFFFU); }
__device__ __forceinline__ float LogitOfKey(std::uint32_t key) {
  const std::uint32_t rising = ~key;
  return BitsToFloat((rising & 0x80000000U) != 0 ? rising & 0x7FFFFFFFU : ~rising);
}
__device__ __forceinline__ float LogitOf(Candidate candidate) { return LogitOfKey(KeyOf(candidate)); }

// Uniform in [0, 1), 53 bits, from Philox4x32-10 (Salmon et al. 2011); the same bits as libs/sampler/philox.cpp.
__device__ __forceinline__ double Uniform(std::uint64_t seed, std::uint32_t draw) {
  std::uint32_t x[4] = {draw, 0, 0, 0};
  auto key_low = static_cast<std::uint32_t>(seed);
  auto key_high = static_cast<std::uint32_t>(seed >> 32);
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * x[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * x[2];
    x[0] = static_cast<std::uint32_t>(b >> 32) ^ x[1] ^ key_low;
    x[1] = static_cast<std::uint32_t>(b);
    x[2] = static_cast<std::uint32_t>(a >> 32) ^ x[3] ^ key_high;
    x[3] = static_cast<std::uint32_t>(a);
    key_low += 0x9E3779B9U;
    key_high += 0xBB67AE85U;
  }
  const std::uint64_t wide = std::uint64_t{x[0]} << 32 | x[1];
  return static_cast<double>(wide >> 11) * 0x1p-53;
}

// What one slice of a row tells the block that finishes the row.
struct SliceRecord {
  float best;               // largest logit
  std::int32_t best_token;  // the first that has it
  float level;              // every token of at least this logit is in the slice's list; -infinity: all that are finite
  std::int32_t listed;      // tokens in the list; -1: more than it holds
  float weight;             // sum of exp((logit - best) / temperature)
  float weight_plain;       // the same at temperature 1
  std::int32_t bad;         // a logit is NaN or +infinity
  std::int32_t unused;
};
static_assert(sizeof(SliceRecord) == 32);

struct Workspace {
  unsigned* counters;  // [kRowsMax] slices that are done; always that many, so that launches of other sizes find zeros
  SliceRecord* records;  // [rows][slices]
  Candidate* lists;      // [rows][slices][kListMax]
};

// What a row's parameters ask for.
struct RowPlan {
  bool sampled, cut, listed;  // cut: top-k, top-p or min-p leave tokens out
  int listed_min;             // how many of a slice's best tokens its list should hold
  int best_wanted;            // all that is asked for is among so many best of the row; 0: who knows
  float scale;                // weight = 2^((logit - best) * scale)
};

__device__ __forceinline__ RowPlan PlanOf(const Sample& sample, const SampleParams& params, int slices) {
  RowPlan plan{};
  plan.sampled = params.temperature > 0.0F;
  const bool top_k = params.top_k > 0 && params.top_k < sample.vocabulary;
  plan.cut = plan.sampled && (top_k || params.top_p < 1.0F || params.min_p > 0.0F);
  const int logprobs = sample.logprobs != nullptr ? sample.logprobs_count : 0;
  plan.listed = plan.cut || logprobs > 0;
  // Any list holds enough for top-k. For a cut by weight alone they are together as much as SampleShared::entries
  // takes.
  plan.listed_min = max(top_k ? params.top_k : plan.cut ? 960 / slices : 0, max(logprobs, 8));
  plan.listed_min = min(plan.listed_min, 192);
  plan.best_wanted = top_k || !plan.cut ? max(plan.cut ? params.top_k : 0, logprobs) : 0;
  // Finite even for a denormal temperature: infinity times a difference of 0 is NaN.
  plan.scale = plan.sampled ? fminf(kLog2E / params.temperature, 1e38F) : kLog2E;
  return plan;
}

// Four logits of a row. Past L1, which doesn't see what another block changed.
__device__ __forceinline__ void LoadAligned(const float* logits, float (&four)[4]) {
  const float4 loaded = __ldcg(reinterpret_cast<const float4*>(logits));
  four[0] = loaded.x;
  four[1] = loaded.y;
  four[2] = loaded.z;
  four[3] = loaded.w;
}
// The same for [token, token + 4), wherever the row begins; -infinity from `end` on.
template <bool kAligned>
__device__ __forceinline__ void LoadFour(const float* logits, int token, int end, float (&four)[4]) {
  if (kAligned && token + 4 <= end) {
    LoadAligned(logits + token, four);
    return;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) four[i] = token + i < end ? __ldcg(logits + token + i) : -kInfinity;
}

// Sums over the threads before this one, and over all of the block; every thread must call. The order of the additions
// is fixed. `scratch` is one element a warp of shared memory; two calls in a row may share it.
template <typename T>
struct Prefix {
  T before, total;
};
template <int kThreads, typename T>
__device__ __forceinline__ Prefix<T> BlockPrefix(T value, T* scratch) {
  constexpr int kWarps = kThreads / kWarpLanes;
  T inclusive = value;
#pragma unroll
  for (int offset = 1; offset < kWarpLanes; offset *= 2) {
    const T other = __shfl_up_sync(kAllLanes, inclusive, static_cast<unsigned>(offset));
    if (WarpLane() >= offset) inclusive += other;
  }
  T before = __shfl_up_sync(kAllLanes, inclusive, 1U);
  if (WarpLane() == 0) before = 0;
  if (WarpLane() == kWarpLanes - 1) scratch[WarpOfBlock()] = inclusive;
  __syncthreads();
  T warps_before = 0, total = 0;
#pragma unroll
  for (int warp = 0; warp < kWarps; ++warp) {
    if (warp == WarpOfBlock()) warps_before = total;
    total += scratch[warp];
  }
  __syncthreads();
  return {warps_before + before, total};
}

template <int kThreads>
struct SampleShared {
  static constexpr int kWarps = kThreads / kWarpLanes;
  Candidate entries[kCandidatesMax];  // of the slices' lists
  Candidate sorted[kCandidatesMax];
  unsigned bins[kBins];
  double segments[kThreads];
  double scan_mass[kWarps];
  int scan_count[kWarps];
  float scan_best[kWarps], scan_sum[kWarps];
  double chosen_mass;
  Candidate chosen;
  float level;
  int count, first, last;
  unsigned key_min, key_max;
  bool finishes;
};
static_assert(sizeof(SampleShared<512>) <= 48U << 10);

// The block's one. Named here, and not handed on, so that functions which aren't inlined know that it is shared memory.
template <int kThreads>
__device__ __forceinline__ SampleShared<kThreads>& Shared() {
  GPU_SHARED SampleShared<kThreads> shared;
  return shared;
}

}  // namespace kernels::gpu::sampling
