#include "kernels/primitives/gpu/aligned.h"
#include "kernels/sampling/sample_cut.h"
#include "kernels/sampling/sample_slice.h"
#include "kernels/sampling/sample_variants.h"

// Sampling reads each logit from memory once. A row is cut into slices, one a block: the block holds its slice in
// registers and leaves the slice's best logit, its sum of weights and a list of its best tokens (sample_slice.h). The
// block that is done last with a row finishes it. Greedy picks need the records alone. Top-k, top-p and min-p are found
// among the lists when these prove to hold all that can be kept, which is the rule, and in the whole row, read again,
// otherwise (sample_cut.h). A draw without cuts finds its slice by the sums and reads that one again.
//
// No sum depends on the order in which threads run, so the same input gives the same tokens.
namespace kernels::gpu {
namespace sampling {
namespace {

// Of all slices of a row.
struct Totals {
  float best;
  int best_token;
  bool bad;
  double weight, weight_plain;  // relative to the best
  bool overflow;                // a list holds not all of its level
  float level;                  // every token of at least this logit is in a list
  int drawn_slice;              // of a draw without cuts
  double drawn_weight;          // and how far into that slice
};

__device__ __forceinline__ SliceRecord LoadRecord(const SliceRecord* record) {
  const auto* halves = reinterpret_cast<const uint4*>(record);
  const uint4 low = __ldcg(halves), high = __ldcg(halves + 1);
  return {BitsToFloat(low.x),
          static_cast<std::int32_t>(low.y),
          BitsToFloat(low.z),
          static_cast<std::int32_t>(low.w),
          BitsToFloat(high.x),
          BitsToFloat(high.y),
          static_cast<std::int32_t>(high.z),
          0};
}

// Joins the records; `share` of all weight is what a draw without cuts looks for. Leaves the start of each slice's list
// in the concatenation of all in shared.bins. All threads call.
template <int kThreads>
__device__ __noinline__ Totals Join(const SliceRecord* records, int slices, float scale, double share) {
  auto& shared = Shared<kThreads>();
  constexpr int kEach = (kSlicesMax + kThreads - 1) / kThreads;
  const int each = (slices + kThreads - 1) / kThreads, first = Thread() * each;
  SliceRecord mine[kEach];
  float best = -kInfinity, level = -kInfinity;
  bool bad = false, overflow = false;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    mine[i] = {-kInfinity, INT_MAX, -kInfinity, 0, 0.0F, 0.0F, 0, 0};
    if (i < each && first + i < slices) mine[i] = LoadRecord(records + first + i);
    best = fmaxf(best, mine[i].best);
    level = fmaxf(level, mine[i].level);
    bad = bad || mine[i].bad != 0;
    overflow = overflow || mine[i].listed < 0;
  }
  Totals totals{};
  const auto joined_max = [&](float value) {
    value = WarpMax(value);
    if (WarpLane() == 0) shared.scan_best[WarpOfBlock()] = value;
    __syncthreads();
    for (int warp = 0; warp < kThreads / kWarpLanes; ++warp) value = fmaxf(value, shared.scan_best[warp]);
    __syncthreads();
    return value;
  };
  totals.best = joined_max(best);
  totals.level = joined_max(level);
  if (Thread() == 0) shared.first = INT_MAX;
  totals.bad = __syncthreads_or(bad ? 1 : 0) != 0 || totals.best == -kInfinity;
  double weight = 0.0, weight_plain = 0.0;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    if (mine[i].best == -kInfinity) continue;
    if (mine[i].best == totals.best) atomicMin(&shared.first, mine[i].best_token);
    weight += static_cast<double>(mine[i].weight * Exp2((mine[i].best - totals.best) * scale));
    weight_plain += static_cast<double>(mine[i].weight_plain * Exp2((mine[i].best - totals.best) * kLog2E));
  }
  overflow = __syncthreads_or(overflow ? 1 : 0) != 0;
  totals.best_token = shared.first;
  const Prefix<double> weights = BlockPrefix<kThreads>(weight, shared.scan_mass);
  totals.weight = weights.total;
  totals.weight_plain = BlockPrefix<kThreads>(weight_plain, shared.scan_mass).total;
  totals.overflow = overflow;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    if (i < each && first + i < slices) shared.sorted[first + i] = static_cast<Candidate>(max(mine[i].listed, 0));
  }
  const int chosen = Choose<kThreads>(weights.before, weight, share * weights.total);
  if (Thread() == chosen) {
    double left = share * weights.total - weights.before;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      if (mine[i].best == -kInfinity) continue;
      const auto here = static_cast<double>(mine[i].weight * Exp2((mine[i].best - totals.best) * scale));
      if (here <= 0.0) continue;
      shared.last = first + i;
      shared.chosen_mass = left;
      if (left < here) break;
      left -= here;
    }
  }
  __syncthreads();
  totals.drawn_slice = max(shared.last, 0);
  totals.drawn_weight = shared.chosen_mass;
  __syncthreads();
  return totals;
}

// Calls take(candidate) for every listed token up to `worst`, in an order that is always the same for a thread. A warp
// has the loads of four lists in flight. All threads call.
template <int kThreads, typename Take>
__device__ __forceinline__ void VisitLists(const Candidate* lists, int slices, Candidate worst, Take take) {
  constexpr int kWarps = kThreads / kWarpLanes;
  const auto& shared = Shared<kThreads>();
  for (int slice = WarpOfBlock(); slice < slices; slice += 4 * kWarps) {
    int listed[4], longest = 0;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int of_warp = slice + i * kWarps;
      listed[i] = of_warp < slices ? static_cast<int>(shared.sorted[of_warp]) : 0;
      longest = max(longest, listed[i]);
    }
    for (int at = WarpLane(); at - WarpLane() < longest; at += 2 * kWarpLanes) {
      Candidate loaded[4][2];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const int place = at + half * kWarpLanes;
          const Candidate* list = lists + static_cast<std::int64_t>(slice + i * kWarps) * kListMax;
          loaded[i][half] = place < listed[i] ? __ldcg(list + place) : ~Candidate{0};
        }
      }
#pragma unroll
      for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          if (loaded[i][half] <= worst) take(loaded[i][half]);
        }
      }
    }
  }
}

// Brings the listed tokens of at least `level` into shared.entries; when `wanted` > 0 only the bins that hold the best
// `wanted` of them. Returns how many, or -1 when they are more than fit. All threads call.
template <int kThreads>
__device__ __noinline__ int Gather(const Row row, const Candidate* lists, int slices, float level, int wanted) {
  auto& shared = Shared<kThreads>();
  const Candidate worst = CandidateOf(level, INT_MAX);
  const Binning binning = Binning::ByDepth();
  int last_bin = kBins;
  if (wanted > 0) {
    for (int bin = Thread(); bin < kBins; bin += kThreads) shared.bins[bin] = 0;
    __syncthreads();
    VisitLists<kThreads>(lists, slices, worst, [&](Candidate candidate) {
      const int bin = binning.BinOf(row, LogitOf(candidate), candidate);
      if (bin < kBins) atomicAdd(&shared.bins[bin], 1U);
    });
    __syncthreads();
    last_bin = FindBin<kThreads>(row, binning, 0, kBins, false, wanted);  // kBins: all
  }
  const auto taken = [&](Candidate candidate) { return binning.BinOf(row, LogitOf(candidate), candidate) <= last_bin; };
  int mine = 0;
  VisitLists<kThreads>(lists, slices, worst, [&](Candidate candidate) { mine += taken(candidate) ? 1 : 0; });
  const Prefix<int> prefix = BlockPrefix<kThreads>(mine, shared.scan_count);
  if (prefix.total > kCandidatesMax) return -1;
  int at = prefix.before;
  VisitLists<kThreads>(lists, slices, worst, [&](Candidate candidate) {
    if (taken(candidate)) shared.entries[at++] = candidate;
  });
  __syncthreads();
  return prefix.total;
}

// The weight of all candidates of the source.
template <int kThreads, bool kAligned>
__device__ __forceinline__ double WeightOf(const Row& row, const Source& source) {
  double sum = 0.0;
  float part = 0.0F;
  Visit<kThreads, kAligned>(
      row, source, [&](float logit, Candidate) { part += row.Weight(logit); },
      [&] {
        sum += static_cast<double>(part);
        part = 0.0F;
      });
  return BlockPrefix<kThreads>(sum, Shared<kThreads>().scan_mass).total;
}

// Draws the token of a row whose tokens top-k, top-p or min-p cut. `source`: the gathered entries, with every token of
// at least totals.level; or the row, where there are none. All threads call.
template <int kThreads, bool kAligned>
__device__ __forceinline__ int DrawCut(Row row, const SampleParams& params, const Totals& totals, Source source,
                                       int vocabulary, double share) {
  const bool top_k = params.top_k > 0 && params.top_k < vocabulary, top_p = params.top_p < 1.0F;
  row.cut = CandidateOf(fmaxf(row.best - kDepthMax / row.scale, -kFloatMax), INT_MAX);
  double weight = totals.weight, weight_of_source = weight;
  if (!source.raw && totals.level > LogitOf(row.cut)) {  // are all that can be kept among the entries?
    bool enough = false;
    if (top_k) {
      enough = params.top_k <= source.count;
    } else if (top_p) {
      const double listed = WeightOf<kThreads, kAligned>(row, source);
      enough = listed >= static_cast<double>(params.top_p) * weight;
      weight_of_source = enough ? listed : weight;
    } else {
      enough = row.Weight(totals.level) < params.min_p * 0.999F;
    }
    source.raw = !enough;
  }
  Collected sorted{};
  const bool few = !source.raw && source.count <= kSortedAtOnce;
  if (few && (top_k || top_p)) {
    sorted = Collect<kThreads, kAligned>(row, source, Binning::One(), 0);
    Sort<kThreads>(sorted.count_in);
  }
  if (top_k && few && sorted.count_in <= params.top_k) {
    weight = weight_of_source = sorted.mass_in;
  } else if (top_k) {
    const Wanted wanted{false, params.top_k, 0.0, 0.0};
    const Cut cut = few ? CutAmongSorted<kThreads>(row, sorted, wanted)
                        : CutInBins<kThreads, kAligned>(row, source, wanted, Binning::ByDepth());
    row.cut = cut.worst;
    if (cut.mass >= 0.0) weight = weight_of_source = cut.mass;
    sorted.count_in = params.top_k;
  }
  if (top_p) {
    const Wanted wanted{true, 0, static_cast<double>(params.top_p) * weight, weight_of_source};
    const Cut cut = few ? CutAmongSorted<kThreads>(row, sorted, wanted)
                        : CutInBins<kThreads, kAligned>(row, source, wanted, Binning::ByDepth());
    row.cut = cut.worst;
  }
  return PickInOrder<kThreads, kAligned>(row, source, {share, false, false, params.min_p, 0});
}

// The log-probabilities of the pick and of the best tokens, at temperature 1.
template <int kThreads, bool kAligned>
__device__ __forceinline__ void WriteLogprobs(const Sample& sample, int row_index, Row row, const Totals& totals,
                                              Source source, int pick) {
  float* logprobs = sample.logprobs + static_cast<std::int64_t>(row_index) * (1 + kLogprobsMax);
  std::int32_t* tokens = sample.logprob_tokens + static_cast<std::int64_t>(row_index) * kLogprobsMax;
  const int wanted = sample.logprobs_count;
  int found = 0;
  if (pick >= 0 && wanted > 0) {
    row.scale = kLog2E;
    row.cut = CandidateOf(-kFloatMax, INT_MAX);
    if (totals.level > -kInfinity && source.count < wanted) source.raw = true;
    if (source.raw || source.count > kSortedAtOnce) {
      const Binning all = Binning::ByKeys(KeyOf(CandidateOf(row.best, 0)), KeyOf(row.cut));
      row.cut = CutInBins<kThreads, kAligned>(row, source, {false, wanted, 0.0, 0.0}, all).worst;
    }
    found = Collect<kThreads, kAligned>(row, source, Binning::One(), 0).count_in;
    Sort<kThreads>(found);
  }
  const double log_total = pick >= 0 ? log(totals.weight_plain) : 0.0;
  const auto logprob = [&](float logit) {
    return static_cast<float>(static_cast<double>(logit) - static_cast<double>(row.best) - log_total);
  };
  if (Thread() == 0) logprobs[0] = pick >= 0 ? logprob(__ldcg(row.logits + pick)) : -kInfinity;
  if (Thread() < wanted) {
    const Candidate candidate = Shared<kThreads>().sorted[Thread()];
    const bool known = Thread() < found;
    logprobs[1 + Thread()] = known ? logprob(LogitOf(candidate)) : -kInfinity;
    tokens[Thread()] = known ? TokenOf(candidate) : -1;
  }
}

template <int kThreads, bool kAligned>
__device__ __noinline__ void FinishRow(const Sample& sample, int row_index, int slices, int slice_tokens,
                                       const SliceRecord* records, const Candidate* lists) {
  const SampleParams params = sample.params[row_index];
  const RowPlan plan = PlanOf(sample, params, slices);
  const double share = plan.sampled ? Uniform(params.seed, params.draw) : 0.0;
  const Totals totals = Join<kThreads>(records, slices, plan.scale, share);
  Row row{sample.logits + static_cast<std::int64_t>(row_index) * sample.stride, totals.best, plan.scale, ~Candidate{0}};
  Source source{true, 0, 0, sample.vocabulary};
  if (!totals.bad && plan.listed && !totals.overflow) {
    source.count = Gather<kThreads>(row, lists, slices, totals.level, plan.best_wanted);
    source.raw = source.count < 0;
  }
  int pick = totals.best_token;
  if (totals.bad) {
    pick = -1;
  } else if (plan.cut) {
    pick = DrawCut<kThreads, kAligned>(row, params, totals, source, sample.vocabulary, share);
  } else if (plan.sampled) {
    const int begin = totals.drawn_slice * slice_tokens;
    const Source slice{true, 0, begin, min(begin + slice_tokens, sample.vocabulary)};
    row.cut = CandidateOf(-kFloatMax, INT_MAX);
    pick = PickInOrder<kThreads, kAligned>(row, slice, {totals.drawn_weight, true, false, 0.0F, 0});
  }
  if (Thread() == 0) {
    sample.tokens[row_index] = pick;
    std::uint32_t* seen = sample.seen != nullptr ? sample.seen[row_index] : nullptr;
    if (seen != nullptr && pick >= 0) seen[pick / 32] |= 1U << (pick % 32);
  }
  if (sample.logprobs != nullptr) {
    WriteLogprobs<kThreads, kAligned>(sample, row_index, row, totals, source, pick);
  }
}

// A block reads `run` slices of a row one after another, so that the wait for its writes and its start are paid once.
template <int kThreads, int kVectors, bool kAligned>
__global__ void __launch_bounds__(kThreads, 1024 / kThreads)
    SampleKernel(const __grid_constant__ Sample sample, const Workspace workspace, const int slices, const int run) {
  auto& shared = Shared<kThreads>();
  constexpr int kTokens = Slice<kThreads, kVectors>::kTokens;
  const int blocks = (slices + run - 1) / run;
  const int row = static_cast<int>(blockIdx.x) / blocks, first = static_cast<int>(blockIdx.x) % blocks * run;
  const std::int64_t row_records = static_cast<std::int64_t>(row) * slices;
  SliceRecord* records = workspace.records + row_records;
  Candidate* lists = workspace.lists + row_records * kListMax;

  WaitForPreviousKernel();
  for (int index = first; index < min(first + run, slices); ++index) {
    const Slice<kThreads, kVectors> slice{index * kTokens, min((index + 1) * kTokens, sample.vocabulary)};
    RunSlice<kThreads, kVectors, kAligned>(sample, row, slice, slices, records + index,
                                           lists + static_cast<std::int64_t>(index) * kListMax);
  }

  __syncthreads();
  if (Thread() == 0) {  // its fence stands for the block's writes, which the barrier has put before it
    __threadfence();
    const unsigned done = atomicAdd(workspace.counters + row, 1U);
    __threadfence();
    shared.finishes = done == static_cast<unsigned>(blocks) - 1U;
    if (shared.finishes) workspace.counters[row] = 0;
  }
  __syncthreads();
  if (!shared.finishes) return;
  FinishRow<kThreads, kAligned>(sample, row, slices, kTokens, records, lists);
}

std::int64_t SlicesOf(std::int32_t vocabulary, const SampleVariant& variant) {
  const std::int64_t slice = std::int64_t{4} * variant.threads * variant.vectors;
  return (vocabulary + slice - 1) / slice;
}

template <int kThreads, int kVectors>
LaunchResult LaunchVariant(const Sample& sample, const Workspace& workspace, int slices, int run, Stream stream) {
  const bool aligned = sample.stride % 4 == 0 && reinterpret_cast<std::uintptr_t>(sample.logits) % 16 == 0;
  const auto kernel = aligned ? SampleKernel<kThreads, kVectors, true> : SampleKernel<kThreads, kVectors, false>;
  LaunchShape shape{dim3(static_cast<unsigned>(sample.rows * ((slices + run - 1) / run))), dim3(kThreads)};
  shape.overlap = true;
  return Launch(kernel, shape, stream, sample, workspace, slices, run);
}

}  // namespace
}  // namespace sampling

std::int64_t SampleVariantWorkspaceBytes(std::int32_t rows_max, std::int32_t vocabulary, const SampleVariant& variant) {
  const std::int64_t slice_bytes = sizeof(sampling::SliceRecord) + sampling::kListMax * sizeof(sampling::Candidate);
  return sampling::kRowsMax * static_cast<std::int64_t>(sizeof(unsigned)) +
         rows_max * sampling::SlicesOf(vocabulary, variant) * slice_bytes;
}

LaunchResult RunSampleVariant(const Sample& sample, const SampleVariant& variant, Stream stream) {
  using namespace sampling;
  GPU_REQUIRE(sample.rows >= 0 && sample.rows <= kRowsMax);
  GPU_REQUIRE(sample.vocabulary > 0 && sample.stride >= sample.vocabulary);
  const std::int64_t slices = SlicesOf(sample.vocabulary, variant);
  GPU_REQUIRE(slices <= kSlicesMax && variant.run > 0);
  if (sample.rows == 0) return LaunchResult::Ok();
  GPU_REQUIRE(sample.logits != nullptr && sample.params != nullptr && sample.tokens != nullptr);
  GPU_REQUIRE(Aligned(sample.logits, 4) && Aligned(sample.params, alignof(SampleParams)) && Aligned(sample.tokens, 4));
  GPU_REQUIRE(Aligned(sample.seen, alignof(std::uint32_t*)));
  GPU_REQUIRE(Aligned(sample.logprobs, 4) && Aligned(sample.logprob_tokens, 4));
  GPU_REQUIRE(sample.workspace != nullptr && Aligned(sample.workspace, 16));
  if (sample.logprobs != nullptr) {
    GPU_REQUIRE(sample.logprobs_count >= 0 && sample.logprobs_count <= kLogprobsMax);
    GPU_REQUIRE(sample.logprobs_count == 0 || sample.logprob_tokens != nullptr);
  }
  Workspace workspace{};
  workspace.counters = static_cast<unsigned*>(sample.workspace);
  workspace.records = reinterpret_cast<SliceRecord*>(workspace.counters + kRowsMax);
  workspace.lists = reinterpret_cast<Candidate*>(workspace.records + sample.rows * slices);
  const int count = static_cast<int>(slices);
  if (variant.threads == 256) {
    if (variant.vectors == 2) return LaunchVariant<256, 2>(sample, workspace, count, variant.run, stream);
    if (variant.vectors == 4) return LaunchVariant<256, 4>(sample, workspace, count, variant.run, stream);
    if (variant.vectors == 8) return LaunchVariant<256, 8>(sample, workspace, count, variant.run, stream);
  }
  if (variant.threads == 512) {
    if (variant.vectors == 8) return LaunchVariant<512, 8>(sample, workspace, count, variant.run, stream);
  }
  return LaunchResult::Refused("requires one of the variants of the sampling kernel");
}

SampleVariant ChooseSampleVariant(std::int32_t rows, std::int32_t vocabulary) {
  // Few rows: smaller slices, until there are two blocks for each of about 132 multiprocessors. Many: longer runs, as
  // long as blocks for two rounds on all of them are left.
  SampleVariant variant{256, 8, 1};
  while (variant.vectors > 2 && rows * sampling::SlicesOf(vocabulary, variant) < 264 &&
         sampling::SlicesOf(vocabulary, {variant.threads, variant.vectors / 2, 1}) <= sampling::kSlicesMax) {
    variant.vectors /= 2;
  }
  while (variant.run < 4 && rows * sampling::SlicesOf(vocabulary, variant) / (2 * variant.run) >= 1000)
    variant.run *= 2;
  return variant;
}

LaunchResult RunSample(const Sample& sample, Stream stream) {
  return RunSampleVariant(sample, ChooseSampleVariant(sample.rows, sample.vocabulary), stream);
}

std::int64_t SampleWorkspaceBytes(std::int32_t rows_max, std::int32_t vocabulary) {
  std::int64_t bytes = 0;  // fewer rows may need more, in smaller slices
  for (std::int32_t rows = 1; rows <= rows_max; ++rows) {
    const std::int64_t of_rows = SampleVariantWorkspaceBytes(rows, vocabulary, ChooseSampleVariant(rows, vocabulary));
    bytes = bytes > of_rows ? bytes : of_rows;
  }
  return bytes;
}

}  // namespace kernels::gpu
