#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/primitives/gpu/bench.h"
#include "kernels/sampling/sample_variants.h"

namespace kernels::gpu {
namespace {

// Parameters of all rows of a launch, by the name that the table shows.
struct Mode {
  const char* name;
  SampleParams params;
  std::int32_t logprobs;  // -1: none
};
constexpr Mode kGreedy{"greedy", {0.0F, 0, 1.0F, 0.0F, 1.0F, 0, 1}, -1};
constexpr Mode kPlain{"temperature 0.8", {0.8F, 0, 1.0F, 0.0F, 1.0F, 0, 1}, -1};
constexpr Mode kTopKTopP{"top-k 50 top-p 0.95", {0.8F, 50, 0.95F, 0.0F, 1.0F, 0, 1}, -1};
constexpr Mode kTopP{"top-p 0.95", {0.8F, 0, 0.95F, 0.0F, 1.0F, 0, 1}, -1};
constexpr Mode kLogprobs{"greedy 20 logprobs", {0.0F, 0, 1.0F, 0.0F, 1.0F, 0, 1}, kLogprobsMax};

// Normal logits. At a temperature of 0.8 a scale of 4 leaves a few tokens nearly all probability, as a language model's
// do; at a scale of 1 top-p keeps two thirds of the vocabulary, which is the worst case: whole rows are read again.
struct Shape {
  std::int32_t rows, vocabulary;
  float scale;

  double bytes() const { return 4.0 * rows * vocabulary; }
  std::string text() const {
    return std::to_string(rows) + " x " + std::to_string(vocabulary) + (scale < 2.0F ? " flat" : "");
  }
};

void MustSucceed(const LaunchResult& result) {
  if (!result.ok()) throw std::runtime_error(result.message());  // Bench::Run catches
}

class SampleBench {
 public:
  SampleBench(Bench& bench, const Shape& shape) : bench_(bench), shape_(shape) {
    // Many rows: buffers of four times the L2 cache in all. Few rows: what the product before has left in L2.
    const double wanted = 4.0 * static_cast<double>(bench.device().l2_bytes);
    const int sets = shape.rows > 64 ? std::clamp(static_cast<int>(wanted / shape.bytes()) + 1, 2, 20) : 1;
    const std::int64_t count = std::int64_t{shape.rows} * shape.vocabulary;
    for (int i = 0; i < sets; ++i) logits_.push_back(static_cast<float*>(bench.RandomFloats(count, shape.scale)));
    tokens_ = static_cast<std::int32_t*>(bench.Zeros(std::int64_t{4} * shape.rows));
    logprobs_ = static_cast<float*>(bench.Zeros(std::int64_t{4} * (1 + kLogprobsMax) * shape.rows));
    logprob_tokens_ = static_cast<std::int32_t*>(bench.Zeros(std::int64_t{4} * kLogprobsMax * shape.rows));
  }
  ~SampleBench() { bench_.FreeAll(); }
  SampleBench(const SampleBench&) = delete;
  SampleBench& operator=(const SampleBench&) = delete;

  // The variant that RunSample takes is named without it.
  void Time(const Mode& mode, const std::vector<SampleVariant>& others) {
    std::vector<SampleParams> params(static_cast<std::size_t>(shape_.rows), mode.params);
    for (std::size_t row = 0; row < params.size(); ++row) params[row].seed = row;
    const std::size_t bytes = params.size() * sizeof(SampleParams);
    void* device_params = bench_.Zeros(static_cast<std::int64_t>(bytes));
    MustSucceed(CopyToDevice(device_params, params.data(), bytes, bench_.stream()));
    MustSucceed(Synchronize(bench_.stream()));
    const SampleVariant chosen = ChooseSampleVariant(shape_.rows, shape_.vocabulary);
    TimeVariant(mode, static_cast<const SampleParams*>(device_params), chosen, "");
    for (const SampleVariant& variant : others) {
      if (variant == chosen) continue;
      TimeVariant(mode, static_cast<const SampleParams*>(device_params), variant,
                  " " + std::to_string(variant.threads) + "x" + std::to_string(variant.vectors) + "x" +
                      std::to_string(variant.run));
    }
  }

 private:
  void TimeVariant(const Mode& mode, const SampleParams* params, const SampleVariant& variant,
                   const std::string& suffix) {
    void* workspace = bench_.Zeros(SampleVariantWorkspaceBytes(shape_.rows, shape_.vocabulary, variant));
    const auto call = [&](int i) {
      Sample sample{};
      sample.logits = logits_[static_cast<std::size_t>(i) % logits_.size()];
      sample.rows = shape_.rows;
      sample.stride = sample.vocabulary = shape_.vocabulary;
      sample.params = params;
      sample.tokens = tokens_;
      sample.logprobs = mode.logprobs >= 0 ? logprobs_ : nullptr;
      sample.logprob_tokens = logprob_tokens_;
      sample.logprobs_count = std::max(mode.logprobs, 0);
      sample.workspace = workspace;
      return RunSampleVariant(sample, variant, bench_.stream());
    };
    const double seconds = bench_.Time(call);
    bench_.Row("sample " + std::string(mode.name) + suffix, shape_.text(), seconds,
               shape_.rows > 64 ? shape_.bytes() : 0.0, 0.0);
  }

  Bench& bench_;
  Shape shape_;
  std::vector<float*> logits_;
  std::int32_t* tokens_;
  float* logprobs_;
  std::int32_t* logprob_tokens_;
};

}  // namespace

void BenchSample(Bench& bench) {
  const std::vector<SampleVariant> large = {{256, 8, 1}, {256, 8, 2}, {256, 8, 4},
                                            {256, 4, 4}, {512, 8, 1}, {512, 8, 2}};
  const std::vector<SampleVariant> small = {{256, 2, 1}, {256, 4, 1}, {256, 8, 1}, {512, 8, 1}};
  for (const Shape& shape : {Shape{4096, 32768, 4.0F}, Shape{256, 128256, 4.0F}}) {
    SampleBench sample(bench, shape);
    sample.Time(kGreedy, large);
    sample.Time(kTopKTopP, large);
    if (bench.quick()) continue;
    sample.Time(kPlain, {});
    sample.Time(kTopP, {});
  }
  for (std::int32_t vocabulary : {49152, 128256}) {
    for (std::int32_t rows : {1, 32, 64}) {
      SampleBench sample(bench, {rows, vocabulary, 4.0F});
      sample.Time(kGreedy, bench.quick() ? std::vector<SampleVariant>{} : small);
      sample.Time(kTopKTopP, bench.quick() ? std::vector<SampleVariant>{} : small);
      sample.Time(kTopP, {});
      if (rows == 64) sample.Time(kLogprobs, {});
    }
  }
  SampleBench flat(bench, {64, 128256, 1.0F});
  flat.Time(kTopP, small);
}

}  // namespace kernels::gpu
