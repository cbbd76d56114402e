#pragma once

#include "kernels/primitives/gpu/exp2.h"
#include "kernels/sampling/sample_parts.h"

// The second half of sampling: one block looks at the candidates of a row, finds where top-k and top-p cut, and draws.
namespace kernels::gpu::sampling {

// Where the candidates of a row are read: the entries gathered from the slices' lists, or the row itself.
struct Source {
  bool raw;
  int count;       // entries, when not raw
  int begin, end;  // tokens, when raw; `begin` is a multiple of 4
};

struct Row {
  const float* logits;  // [vocabulary], penalised
  float best, scale;
  Candidate cut;  // the worst candidate that is kept

  __device__ __forceinline__ float Weight(float logit) const { return Exp2((logit - best) * scale); }
};

// Tokens that a warp reads at once: 4 vectors a lane, and the next 4 on their way.
inline constexpr int kPartTokens = kWarpLanes * 16;

template <bool kAligned>
__device__ __forceinline__ void LoadPart(const float* logits, int first, int end, float (&values)[4][4]) {
#pragma unroll
  for (int vector = 0; vector < 4; ++vector) {
    LoadFour<kAligned>(logits, first + (vector * kWarpLanes + WarpLane()) * 4, end, values[vector]);
  }
}

// A warp reads the parts at first, first + step, ... < end. Calls each(logit, candidate) for every candidate that is
// kept, and flush() in all lanes after each part, so that a float need not hold the sum of more than 16.
template <bool kAligned, typename Each, typename Flush>
__device__ __forceinline__ void VisitRaw(const Row& row, int first, int end, int step, Each each, Flush flush) {
  if (first >= end) return;
  float values[4][4];
  LoadPart<kAligned>(row.logits, first, end, values);
  while (first < end) {
    float next[4][4];
    LoadPart<kAligned>(row.logits, first + step, end, next);  // beyond `end` it loads nothing
#pragma unroll
    for (int vector = 0; vector < 4; ++vector) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int token = first + (vector * kWarpLanes + WarpLane()) * 4 + i;
        const Candidate candidate = CandidateOf(values[vector][i], token);
        if (candidate <= row.cut) each(values[vector][i], candidate);
        values[vector][i] = next[vector][i];
      }
    }
    flush();
    first += step;
  }
}

// The same for all candidates of the source, by the whole block.
template <int kThreads, bool kAligned, typename Each, typename Flush>
__device__ __forceinline__ void Visit(const Row& row, const Source& source, Each each, Flush flush) {
  const auto& shared = Shared<kThreads>();
  if (source.raw) {
    VisitRaw<kAligned>(row, source.begin + WarpOfBlock() * kPartTokens, source.end, kThreads / kWarpLanes * kPartTokens,
                       each, flush);
    return;
  }
  for (int i = Thread(); i < source.count; i += kThreads) {
    const Candidate candidate = shared.entries[i];
    if (candidate <= row.cut) each(LogitOf(candidate), candidate);
  }
  flush();
}

// Makes sorted[0 .. count) ascend, which is best first (bitonic: Batcher 1968). All threads call, after a barrier.
template <int kThreads>
__device__ __noinline__ void Sort(int count) {
  auto& shared = Shared<kThreads>();
  int padded_log = 6;  // two elements a lane
  while (1 << padded_log < count) ++padded_log;
  const int padded = 1 << padded_log;
  for (int i = count + Thread(); i < padded; i += kThreads) shared.sorted[i] = ~Candidate{0};
  __syncthreads();
  for (int run = 1; run <= padded_log; ++run) {
    for (int step = run - 1; step >= 0; --step) {
      for (int pair = Thread(); pair < padded / 2; pair += kThreads) {
        const int low = pair >> step << (step + 1) | (pair & ((1 << step) - 1)), high = low + (1 << step);
        const Candidate a = shared.sorted[low], b = shared.sorted[high];
        if ((a > b) == ((low >> run & 1) == 0)) {
          shared.sorted[low] = b;
          shared.sorted[high] = a;
        }
      }
      // Up to a distance of 32 a warp's 32 pairs lie in 64 elements that no other warp touches.
      const int next = step > 0 ? step - 1 : run;
      if (step > 5 || next > 5) {
        __syncthreads();
      } else {
        __syncwarp();
      }
    }
  }
  __syncthreads();
}

// Which thread's range holds the point `target` of the running sum, given each thread's own part of it; the last with
// any part, when rounding put the target beyond the sum. -1: no thread has a part.
template <int kThreads>
__device__ __forceinline__ int Choose(double before, double part, double target) {
  auto& shared = Shared<kThreads>();
  if (Thread() == 0) {
    shared.first = INT_MAX;
    shared.last = -1;
  }
  __syncthreads();
  if (part > 0.0) {
    if (before + part > target) atomicMin(&shared.first, Thread());
    atomicMax(&shared.last, Thread());
  }
  __syncthreads();
  const int chosen = shared.first != INT_MAX ? shared.first : shared.last;
  if (Thread() == chosen) shared.chosen_mass = before;
  __syncthreads();
  return chosen;
}

// What a walk over the kept candidates looks for: the first at which the running sum exceeds `target`, which is a share
// of the whole sum unless `absolute`. Each counts with its weight, if that is at least weight_min; with `equals`, all
// of the key count 1 and the others nothing.
struct Walk {
  double target;
  bool absolute, equals;
  float weight_min;
  std::uint32_t key;
};

// Walks in ascending token id. Returns the token, -1 when nothing counts. All threads call.
template <int kThreads, bool kAligned>
__device__ __noinline__ int PickInOrder(const Row row, const Source source, const Walk walk) {
  constexpr int kWarps = kThreads / kWarpLanes;
  auto& shared = Shared<kThreads>();
  Source range = source;
  double target = walk.target;
  bool absolute = walk.absolute;
  const auto weight = [&](float logit, Candidate candidate) {
    if (walk.equals) return KeyOf(candidate) == walk.key ? 1.0F : 0.0F;
    const float here = row.Weight(logit);
    return here < walk.weight_min ? 0.0F : here;
  };
  if (source.raw) {  // into segments of whole parts, at most one a thread
    const int tokens = source.end - source.begin;
    const int segment_tokens = (tokens + kThreads * kPartTokens - 1) / (kThreads * kPartTokens) * kPartTokens;
    shared.segments[Thread()] = 0.0;
    __syncthreads();
    for (int segment = WarpOfBlock(); segment * segment_tokens < tokens; segment += kWarps) {
      double sum = 0.0;
      float part = 0.0F;
      const int begin = source.begin + segment * segment_tokens;
      VisitRaw<kAligned>(
          row, begin, min(begin + segment_tokens, source.end), kPartTokens,
          [&](float logit, Candidate candidate) { part += weight(logit, candidate); },
          [&] {
            sum += static_cast<double>(part);
            part = 0.0F;
          });
#pragma unroll
      for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(kAllLanes, sum, offset);
      if (WarpLane() == 0) shared.segments[segment] = sum;
    }
    __syncthreads();
    const double part = shared.segments[Thread()];
    const Prefix<double> prefix = BlockPrefix<kThreads>(part, shared.scan_mass);
    if (!absolute) target *= prefix.total;
    absolute = true;
    const int segment = Choose<kThreads>(prefix.before, part, target);
    if (segment < 0) return -1;
    target -= shared.chosen_mass;
    range.begin = source.begin + segment * segment_tokens;
    range.end = min(range.begin + segment_tokens, source.end);
  }
  int count = range.end - range.begin;
  if (!range.raw) {  // the kept entries, ordered by token: with the halves of the number exchanged
    if (Thread() == 0) shared.count = 0;
    __syncthreads();
    for (int i = Thread(); i < range.count; i += kThreads) {
      const Candidate candidate = shared.entries[i];
      if (candidate > row.cut || weight(LogitOf(candidate), candidate) <= 0.0F) continue;
      shared.sorted[atomicAdd(&shared.count, 1)] = candidate << 32 | candidate >> 32;
    }
    __syncthreads();
    count = shared.count;
    Sort<kThreads>(count);
  }
  const int each = (count + kThreads - 1) / kThreads;
  const int first = min(Thread() * each, count), end = min(first + each, count);
  const auto weight_at = [&](int i, int& token) {
    const Candidate candidate = range.raw ? CandidateOf(__ldcg(row.logits + range.begin + i), range.begin + i)
                                          : shared.sorted[i] << 32 | shared.sorted[i] >> 32;
    token = TokenOf(candidate);
    return candidate <= row.cut ? static_cast<double>(weight(LogitOf(candidate), candidate)) : 0.0;
  };
  double part = 0.0;
  int token = -1;
  for (int i = first; i < end; ++i) part += weight_at(i, token);
  const Prefix<double> prefix = BlockPrefix<kThreads>(part, shared.scan_mass);
  if (!absolute) target *= prefix.total;
  const int chosen = Choose<kThreads>(prefix.before, part, target);
  if (chosen < 0) return -1;
  if (Thread() == chosen) {
    double left = target - prefix.before;
    int pick = -1;
    for (int i = first; i < end; ++i) {
      const double here = weight_at(i, token);
      if (here <= 0.0) continue;
      pick = token;
      left -= here;
      if (left < 0.0) break;
    }
    shared.last = pick;
  }
  __syncthreads();
  const int pick = shared.last;
  __syncthreads();
  return pick;
}

// Maps candidates to bins, better ones to smaller: all to bin 0; by the depth below the best, in powers of two of the
// weight, 256 bins an octave of (depth + 1/8); or by a range of keys. -1: better than the range; kBins: beyond it.
struct Binning {
  enum class Kind { kOne, kDepth, kKeys };
  Kind kind;
  std::uint32_t key_first;
  int shift;

  static constexpr int kDepthFirst = 0x3E000000 >> 15;  // 1/8

  __device__ static Binning One() { return {Kind::kOne, 0, 0}; }
  __device__ static Binning ByDepth() { return {Kind::kDepth, 0, 0}; }
  __device__ static Binning ByKeys(std::uint32_t key_first, std::uint32_t key_last) {
    int shift = 0;
    while ((key_last - key_first) >> shift >= static_cast<std::uint32_t>(kBins)) ++shift;
    return {Kind::kKeys, key_first, shift};
  }

  __device__ __forceinline__ int BinOf(const Row& row, float logit, Candidate candidate) const {
    if (kind == Kind::kOne) return 0;
    if (kind == Kind::kKeys) {
      if (KeyOf(candidate) < key_first) return -1;
      return static_cast<int>(min((KeyOf(candidate) - key_first) >> shift, static_cast<std::uint32_t>(kBins)));
    }
    const float depth = (row.best - logit) * row.scale + 0.125F;
    return min(static_cast<int>(FloatToBits(depth) >> 15) - kDepthFirst, kBins);
  }

  // The weight of a candidate in the middle of a bin.
  __device__ __forceinline__ float WeightOf(const Row& row, int bin) const {
    if (kind == Kind::kKeys) {
      const std::uint64_t middle = key_first + (std::uint64_t(bin) << shift) + ((std::uint64_t{1} << shift) >> 1);
      return row.Weight(LogitOfKey(static_cast<std::uint32_t>(min(middle, static_cast<std::uint64_t>(0xFF7FFFFFU)))));
    }
    return Exp2(0.125F - BitsToFloat((static_cast<std::uint32_t>(bin + kDepthFirst) << 15) + (1U << 14)));
  }
};

// What lies above a bin and in it.
struct Collected {
  double mass_above, mass_in;
  int count_above, count_in;
  std::uint32_t key_min, key_max;  // in it
};

// One pass: sums, and sorted[] filled in any order with the candidates in the bin, while they fit. All threads call.
template <int kThreads, bool kAligned>
__device__ __noinline__ Collected Collect(const Row row, const Source source, const Binning binning, int bin) {
  auto& shared = Shared<kThreads>();
  if (Thread() == 0) {
    shared.count = 0;
    shared.key_min = ~0U;
    shared.key_max = 0;
  }
  __syncthreads();
  Collected mine{0.0, 0.0, 0, 0, ~0U, 0};
  float above = 0.0F, in = 0.0F;
  Visit<kThreads, kAligned>(
      row, source,
      [&](float logit, Candidate candidate) {
        const int bin_of = binning.BinOf(row, logit, candidate);
        if (bin_of > bin) return;
        const float weight = row.Weight(logit);
        if (bin_of < bin) {
          above += weight;
          ++mine.count_above;
          return;
        }
        in += weight;
        ++mine.count_in;
        mine.key_min = min(mine.key_min, KeyOf(candidate));
        mine.key_max = max(mine.key_max, KeyOf(candidate));
        const int at = atomicAdd(&shared.count, 1);
        if (at < kCandidatesMax) shared.sorted[at] = candidate;
      },
      [&] {
        mine.mass_above += static_cast<double>(above);
        mine.mass_in += static_cast<double>(in);
        above = in = 0.0F;
      });
  atomicMin(&shared.key_min, mine.key_min);
  atomicMax(&shared.key_max, mine.key_max);
  Collected all;
  all.mass_above = BlockPrefix<kThreads>(mine.mass_above, shared.scan_mass).total;
  all.mass_in = BlockPrefix<kThreads>(mine.mass_in, shared.scan_mass).total;
  all.count_above = BlockPrefix<kThreads>(mine.count_above, shared.scan_count).total;
  all.count_in = shared.count;
  all.key_min = shared.key_min;
  all.key_max = shared.key_max;
  __syncthreads();
  return all;
}

// What a cut keeps: the best `count`, or, when by_mass, the fewest whose weight reaches `mass`; at least one.
struct Wanted {
  bool by_mass;
  int count;
  double mass, mass_of_all;  // of all: of the kept candidates of the source
};

struct Cut {
  Candidate worst;  // that is kept
  double mass;      // of the kept; negative: all candidates together are not so many, and all are kept
};

// Where `wanted` is reached in the bin, which stands in sorted[0 .. collected.count_in). All threads call.
template <int kThreads>
__device__ __noinline__ Cut CutAmongSorted(const Row row, const Collected collected, const Wanted wanted) {
  auto& shared = Shared<kThreads>();
  const int count = min(collected.count_in, kCandidatesMax);
  const int each = (count + kThreads - 1) / kThreads;
  const int first = min(Thread() * each, count), end = min(first + each, count);
  double part = 0.0;
  for (int i = first; i < end; ++i) part += static_cast<double>(row.Weight(LogitOf(shared.sorted[i])));
  if (Thread() == 0) shared.first = count - 1;
  const double before = collected.mass_above + BlockPrefix<kThreads>(part, shared.scan_mass).before;
  if (!wanted.by_mass) {
    if (Thread() == 0) shared.first = min(max(wanted.count - collected.count_above - 1, 0), count - 1);
  } else if (before + part >= wanted.mass) {
    double reached = before;
    int at = first;
    for (; at < end; ++at) {
      reached += static_cast<double>(row.Weight(LogitOf(shared.sorted[at])));
      if (reached >= wanted.mass) break;
    }
    if (first < end) atomicMin(&shared.first, min(at, end - 1));
  }
  __syncthreads();
  const int last = shared.first;
  if (first <= last && last < end) {
    double reached = before;
    for (int i = first; i <= last; ++i) reached += static_cast<double>(row.Weight(LogitOf(shared.sorted[i])));
    shared.chosen_mass = reached;
    shared.chosen = shared.sorted[last];
  }
  __syncthreads();
  const Cut cut{shared.chosen, shared.chosen_mass};
  __syncthreads();
  return cut;
}

// Counts the candidates in each bin. All threads call.
template <int kThreads, bool kAligned>
__device__ __noinline__ void CountBins(const Row row, const Source source, const Binning binning) {
  auto& shared = Shared<kThreads>();
  for (int bin = Thread(); bin < kBins; bin += kThreads) shared.bins[bin] = 0;
  __syncthreads();
  Visit<kThreads, kAligned>(
      row, source,
      [&](float logit, Candidate candidate) {
        const int bin = binning.BinOf(row, logit, candidate);
        if (bin >= 0 && bin < kBins) atomicAdd(&shared.bins[bin], 1U);
      },
      [] {});
  __syncthreads();
}

// The bin in first .. end - 1 at which the running count reaches `target`, kBins: none. Or, by mass, at which the
// running weight reaches the share `target` of that of first .. end - 1, as far as the middle of a bin can stand for
// its members; -1: all are empty. All threads call.
template <int kThreads>
__device__ __noinline__ int FindBin(const Row row, const Binning binning, int first, int end, bool by_mass,
                                    double target) {
  auto& shared = Shared<kThreads>();
  constexpr int kEach = kBins / kThreads;
  static_assert(kBins % kThreads == 0);
  const int my_first = max(Thread() * kEach, first), my_end = min((Thread() + 1) * kEach, end);
  const auto part_of = [&](int bin) {
    const auto count = static_cast<double>(shared.bins[bin]);
    return by_mass && count > 0.0 ? count * static_cast<double>(binning.WeightOf(row, bin)) : count;
  };
  double part = 0.0;
  int not_empty = -1;
  for (int bin = my_first; bin < my_end; ++bin) {
    part += part_of(bin);
    not_empty = shared.bins[bin] != 0 ? bin : not_empty;
  }
  if (Thread() == 0) {
    shared.first = kBins;
    shared.last = -1;
  }
  const Prefix<double> prefix = BlockPrefix<kThreads>(part, shared.scan_mass);
  if (by_mass) target *= prefix.total;
  if (not_empty >= 0) atomicMax(&shared.last, not_empty);
  if (not_empty >= 0 && prefix.before + part >= target) {
    double reached = prefix.before;
    int found = not_empty;
    for (int bin = my_first; bin < my_end; ++bin) {
      if (shared.bins[bin] == 0) continue;
      reached += part_of(bin);
      if (reached < target) continue;
      found = bin;
      break;
    }
    atomicMin(&shared.first, found);
  }
  __syncthreads();
  const int found = shared.first < kBins || !by_mass ? shared.first : shared.last;
  __syncthreads();
  return found;
}

// Passes over the source with finer and finer bins until those that the cut goes through can be sorted. The counts tell
// in which bin a cut by count lies; of a cut by mass they give a good guess, which the pass that collects the bin
// proves or narrows down. All threads call.
template <int kThreads, bool kAligned>
__device__ __noinline__ Cut CutInBins(const Row row, const Source source, const Wanted wanted, Binning binning) {
  Collected collected{0.0, wanted.mass_of_all, 0, 0, 0, 0};
  for (int level = 0; level < 6; ++level) {  // a level divides the range of keys by 2,560: 4 would do
    CountBins<kThreads, kAligned>(row, source, binning);
    if (!wanted.by_mass) {
      const int bin = FindBin<kThreads>(row, binning, 0, kBins, false, wanted.count - collected.count_above);
      if (bin == kBins) return {row.cut, -1.0};
      collected = Collect<kThreads, kAligned>(row, source, binning, bin);
    } else {
      int first = 0, end = kBins;  // where the bin is
      double mass_first = collected.mass_above, mass_end = mass_first + collected.mass_in;
      while (true) {
        const double share = fmin(fmax((wanted.mass - mass_first) / (mass_end - mass_first), 0.0), 1.0);
        const int bin = FindBin<kThreads>(row, binning, first, end, true, share);
        if (bin < 0) break;  // between two bins, by rounding: either will do
        collected = Collect<kThreads, kAligned>(row, source, binning, bin);
        if (collected.mass_above >= wanted.mass) {
          end = bin;
          mass_end = collected.mass_above;
        } else if (collected.mass_above + collected.mass_in < wanted.mass) {
          first = bin + 1;
          mass_first = collected.mass_above + collected.mass_in;
        } else {
          break;
        }
      }
    }
    if (collected.count_in <= kCandidatesMax) break;
    if (collected.key_min == collected.key_max) {  // so many equals: the first ones of them, by token id
      const auto weight = static_cast<double>(row.Weight(LogitOfKey(collected.key_min)));
      double kept = wanted.by_mass ? ceil((wanted.mass - collected.mass_above) / weight)
                                   : static_cast<double>(wanted.count - collected.count_above);
      kept = fmin(fmax(kept, 1.0), static_cast<double>(collected.count_in));
      const int token = PickInOrder<kThreads, kAligned>(row, source, {kept - 0.5, true, true, 0.0F, collected.key_min});
      return {static_cast<Candidate>(collected.key_min) << 32 | static_cast<std::uint32_t>(token),
              collected.mass_above + kept * weight};
    }
    binning = Binning::ByKeys(collected.key_min, collected.key_max);
  }
  Sort<kThreads>(min(collected.count_in, kCandidatesMax));
  return CutAmongSorted<kThreads>(row, collected, wanted);
}

}  // namespace kernels::gpu::sampling
