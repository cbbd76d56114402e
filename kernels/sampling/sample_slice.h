#pragma once

#include "kernels/primitives/gpu/exp2.h"
#include "kernels/sampling/sample_parts.h"

// The first half of sampling: a block reads its slice of a row once, keeps it in registers, and leaves a record and a
// short list of its best tokens.
namespace kernels::gpu::sampling {

// Each warp holds a run of kVectors * 128 tokens: [kVectors][32 lanes][4].
template <int kThreads, int kVectors>
struct Slice {
  static constexpr int kTokens = kThreads * kVectors * 4;
  int begin, end;  // tokens; `begin` is a multiple of kTokens

  __device__ __forceinline__ int TokenAt(int vector) const {
    return begin + (WarpOfBlock() * kVectors + vector) * (kWarpLanes * 4) + WarpLane() * 4;
  }
};

// The penalty of CTRL (Keskar et al. 2019) for tokens whose bit is set in `seen`, here and in memory.
template <int kThreads, int kVectors>
__device__ __forceinline__ void Penalise(const Slice<kThreads, kVectors>& slice, float penalty,
                                         const std::uint32_t* seen, float* logits, float (&values)[kVectors][4]) {
#pragma unroll
  for (int vector = 0; vector < kVectors; ++vector) {
    const int token = slice.TokenAt(vector);
    if (token >= slice.end) continue;
    const std::uint32_t marks = seen[token / 32] >> (token % 32);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if ((marks >> i & 1U) == 0 || token + i >= slice.end) continue;
      const float logit = values[vector][i];
      // A penalty close to 0 must not make an infinity of a good logit.
      values[vector][i] = logit > 0.0F ? fminf(logit / penalty, kFloatMax) : logit * penalty;
      logits[token + i] = values[vector][i];
    }
  }
}

// The sum of 2^((logit - best) * scale).
template <int kVectors>
__device__ __forceinline__ float WeightOf(const float (&values)[kVectors][4], float best, float scale) {
  // One fused operation a logit: the product with the best is rounded once for all, and the sum put right by what that
  // rounding was; unless it is so large that this says nothing.
  const float of_best = best * scale;
  float sum = 0.0F;
  if (fabsf(of_best) < 1e6F) {
#pragma unroll
    for (int vector = 0; vector < kVectors; ++vector) {
#pragma unroll
      for (int i = 0; i < 4; ++i) sum += Exp2(fmaf(values[vector][i], scale, -of_best));
    }
    return sum * Exp2(-fmaf(best, scale, -of_best));
  }
#pragma unroll
  for (int vector = 0; vector < kVectors; ++vector) {
#pragma unroll
    for (int i = 0; i < 4; ++i) sum += Exp2((values[vector][i] - best) * scale);
  }
  return sum;
}

// Distances below the best fall into bins of 1/16 octave, from 2^-16 to 2^16: fine near the best, at any scale of
// logits.
inline constexpr int kDistanceBins = 512;
inline constexpr int kDistanceFirst = (127 - 16) * 16;
__device__ __forceinline__ int DistanceBin(float distance) {
  const int bin = static_cast<int>(FloatToBits(distance) >> 19) - kDistanceFirst;
  return min(max(bin, 0), kDistanceBins - 1);
}
__device__ __forceinline__ float DistanceEnd(int bin) {
  return BitsToFloat(static_cast<std::uint32_t>(bin + 1 + kDistanceFirst) << 19);
}

// A logit that about `listed_min` of the slice's tokens reach, at least so many if so many are finite. Found among the
// best of each thread alone: `listed_min` threads hold a token each above the level, and few hold two. All threads
// call.
template <int kThreads>
__device__ __forceinline__ float ListLevel(float best, float thread_best, int listed_min) {
  auto& shared = Shared<kThreads>();
  for (int bin = Thread(); bin < kDistanceBins; bin += kThreads) shared.bins[bin] = 0;
  __syncthreads();
  if (thread_best > -kInfinity) atomicAdd(&shared.bins[DistanceBin(best - thread_best)], 1U);
  __syncthreads();
  if (WarpOfBlock() == 0) {
    constexpr int kPerLane = kDistanceBins / kWarpLanes;
    int sum = 0;
    for (int i = 0; i < kPerLane; ++i) sum += static_cast<int>(shared.bins[WarpLane() * kPerLane + i]);
    int reached = sum;
#pragma unroll
    for (int offset = 1; offset < kWarpLanes; offset *= 2) {
      const int other = __shfl_up_sync(kAllLanes, reached, static_cast<unsigned>(offset));
      if (WarpLane() >= offset) reached += other;
    }
    const unsigned enough = __ballot_sync(kAllLanes, reached >= listed_min);
    if (enough == 0) {
      if (WarpLane() == 0) shared.level = -kInfinity;
    } else if (WarpLane() == __ffs(static_cast<int>(enough)) - 1) {
      int bin = WarpLane() * kPerLane;
      for (reached -= sum; bin + 1 < (WarpLane() + 1) * kPerLane; ++bin) {
        reached += static_cast<int>(shared.bins[bin]);
        if (reached >= listed_min) break;
      }
      shared.level = bin == kDistanceBins - 1 ? -kInfinity : best - DistanceEnd(bin);
    }
  }
  __syncthreads();
  return shared.level;
}

// Writes the tokens that reach the level, thread by thread, and returns how many; -1, and writes none, when they are
// more than kListMax. All threads call.
template <int kThreads, int kVectors>
__device__ __forceinline__ int WriteList(const Slice<kThreads, kVectors>& slice, const float (&values)[kVectors][4],
                                         float thread_best, float level, Candidate* list) {
  static_assert(kVectors * 4 <= 32);
  const float finite = fmaxf(level, -kFloatMax);
  unsigned reach = 0;
  if (thread_best >= finite) {
#pragma unroll
    for (int vector = 0; vector < kVectors; ++vector) {
#pragma unroll
      for (int i = 0; i < 4; ++i) reach |= values[vector][i] >= finite ? 1U << (vector * 4 + i) : 0U;
    }
  }
  const Prefix<int> prefix = BlockPrefix<kThreads>(__popc(reach), Shared<kThreads>().scan_count);
  if (prefix.total > kListMax) return -1;
  if (reach == 0) return prefix.total;
  Candidate* at = list + prefix.before;
#pragma unroll
  for (int vector = 0; vector < kVectors; ++vector) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if ((reach >> (vector * 4 + i) & 1U) != 0) *at++ = CandidateOf(values[vector][i], slice.TokenAt(vector) + i);
    }
  }
  return prefix.total;
}

// Reads the slice and writes its record and list. All threads call.
template <int kThreads, int kVectors, bool kAligned>
__device__ __forceinline__ void RunSlice(const Sample& sample, int row, const Slice<kThreads, kVectors>& slice,
                                         int slices, SliceRecord* record, Candidate* list) {
  auto& shared = Shared<kThreads>();
  float* logits = sample.logits + static_cast<std::int64_t>(row) * sample.stride;
  float values[kVectors][4];
  if (kAligned && slice.end - slice.begin == slice.kTokens) {  // no branch between the loads
#pragma unroll
    for (int vector = 0; vector < kVectors; ++vector) LoadAligned(logits + slice.TokenAt(vector), values[vector]);
  } else {
#pragma unroll
    for (int vector = 0; vector < kVectors; ++vector) {
      LoadFour<kAligned>(logits, slice.TokenAt(vector), slice.end, values[vector]);
    }
  }
  // Only now, so that the logits are on their way while the parameters come.
  const SampleParams params = sample.params[row];
  const RowPlan plan = PlanOf(sample, params, slices);
  const float penalty = params.repetition_penalty;
  const std::uint32_t* seen = sample.seen != nullptr ? sample.seen[row] : nullptr;
  if (penalty != 1.0F && seen != nullptr) Penalise(slice, penalty, seen, logits, values);

  float thread_best = -kInfinity;
  bool bad = false;
#pragma unroll
  for (int vector = 0; vector < kVectors; ++vector) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      thread_best = fmaxf(thread_best, values[vector][i]);
      bad = bad || !(values[vector][i] < kInfinity);
    }
  }
  float best = WarpMax(thread_best);
  if (WarpLane() == 0) shared.scan_best[WarpOfBlock()] = best;
  if (Thread() == 0) shared.first = INT_MAX;
  bad = __syncthreads_or(bad ? 1 : 0) != 0;
  for (int warp = 0; warp < kThreads / kWarpLanes; ++warp) best = fmaxf(best, shared.scan_best[warp]);
  if (bad) best = -kInfinity;  // the row has no pick: skip what follows
  if (thread_best == best && best > -kInfinity) {
    int first = INT_MAX;
#pragma unroll
    for (int vector = kVectors - 1; vector >= 0; --vector) {
#pragma unroll
      for (int i = 3; i >= 0; --i) first = values[vector][i] == best ? slice.TokenAt(vector) + i : first;
    }
    atomicMin(&shared.first, first);
  }
  float weight = 0.0F, weight_plain = 0.0F, level = -kInfinity;
  int listed = 0;
  if (best > -kInfinity) {
    if (plan.sampled) weight = BlockSum<kThreads>(WeightOf(values, best, plan.scale), shared.scan_sum);
    if (sample.logprobs != nullptr) {
      weight_plain = BlockSum<kThreads>(WeightOf(values, best, kLog2E), shared.scan_sum);
    }
    if (plan.listed) {
      level = ListLevel<kThreads>(best, thread_best, plan.listed_min);
      listed = WriteList(slice, values, thread_best, level, list);
    }
  }
  __syncthreads();
  if (Thread() == 0) *record = {best, shared.first, level, listed, weight, weight_plain, bad ? 1 : 0, 0};
}

}  // namespace kernels::gpu::sampling
