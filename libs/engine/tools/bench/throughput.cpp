#include "libs/engine/tools/bench/throughput.h"

#include <random>

#include "libs/base/check.h"
#include "libs/engine/tools/bench/bench_model.h"
#include "libs/sampler/sampler.h"
#include "libs/scheduler/scheduler.h"

namespace engine::bench {
namespace {

struct Run {
  double seconds = 0, forward_seconds = 0;
  std::vector<double> ttft, itl;  // seconds
};

// One run of the workload from the first step to the last token.
class Runner {
 public:
  Runner(model::DecoderModel& model, const model::DecoderOptions& options, const Workload& workload)
      : model_(model), workload_(workload), scratch_(static_cast<std::size_t>(model.threads())) {
    auto scheduler = scheduler::Scheduler::Create({.blocks_total = options.blocks_total,
                                                   .block_size = options.block_size,
                                                   .sequences_max = workload.sequences,
                                                   .queue_max = workload.sequences,
                                                   .step_tokens_max = options.rows_max});
    CHECK(scheduler.ok());
    scheduler_ = *std::move(scheduler);
  }

  Run Go() {
    Submit();
    const auto sequences = static_cast<std::size_t>(workload_.sequences);
    std::vector<double> last(sequences, 0);
    std::vector<std::int32_t> left(sequences, workload_.generated_tokens);
    const double began = Now();
    for (std::size_t running = sequences; running > 0;) {
      const scheduler::Step& step = scheduler_->BuildStep();
      const double forward_began = Now();
      model_.ForwardStep(step.batch);
      run_.forward_seconds += Now() - forward_began;
      scheduler_->CompleteStep();
      Pick(step.samples);
      for (std::size_t i = 0; i < step.samples.size(); ++i) {
        const scheduler::SequenceId id = step.samples[i];
        const auto index = static_cast<std::size_t>(id.value());
        CHECK(picked_[i].ok());
        const double now = Now();
        (last[index] == 0 ? run_.ttft : run_.itl).push_back(now - (last[index] == 0 ? began : last[index]));
        last[index] = now;
        if (--left[index] == 0) {
          scheduler_->Remove(id);
          --running;
        } else {
          scheduler_->AppendToken(id, *picked_[i]);
        }
      }
    }
    run_.seconds = Now() - began;
    return std::move(run_);
  }

 private:
  // On all threads, as HostBackend does.
  void Pick(const std::vector<scheduler::SequenceId>& samples) {
    picked_.resize(samples.size(), 0);
    model_.ForEachSample(static_cast<std::int32_t>(samples.size()), [&](std::int32_t sample, int thread) {
      const auto index = static_cast<std::size_t>(sample);
      picked_[index] = samplers_[static_cast<std::size_t>(samples[index].value())].Sample(
          model_.logits(sample), scratch_[static_cast<std::size_t>(thread)]);
    });
  }

  void Submit() {
    std::mt19937 rng(/*seed=*/1);
    const std::int32_t vocabulary = model_.config().vocabulary;
    for (std::int32_t s = 0; s < workload_.sequences; ++s) {
      std::vector<std::int32_t> prompt(static_cast<std::size_t>(workload_.prompt_tokens));
      for (std::int32_t& token : prompt)
        token = static_cast<std::int32_t>(rng() % static_cast<std::uint32_t>(vocabulary));
      samplers_.emplace_back(sampler::SamplerOptions{}, prompt, vocabulary);
      CHECK(scheduler_
                ->Enqueue({scheduler::SequenceId(static_cast<std::uint64_t>(s)),
                           "bench",
                           std::move(prompt),
                           workload_.generated_tokens,
                           {}})
                .ok());
    }
  }

  model::DecoderModel& model_;
  const Workload workload_;
  std::unique_ptr<scheduler::Scheduler> scheduler_;
  std::vector<sampler::Sampler> samplers_;            // [sequences], greedy
  std::vector<sampler::SamplerScratch> scratch_;      // [threads]
  std::vector<absl::StatusOr<std::int32_t>> picked_;  // of the last step's samples
  Run run_;
};

}  // namespace

Throughput MeasureThroughput(model::DecoderModel& model, const model::DecoderOptions& options,
                             const Workload& workload) {
  Workload first_token = workload;
  first_token.generated_tokens = 1;
  const Run prefill = Runner(model, options, first_token).Go();
  const Run whole = Runner(model, options, workload).Go();
  const double sequences = workload.sequences;
  const double prompts = sequences * workload.prompt_tokens;
  Throughput result;
  result.prefill_tps = prompts / prefill.seconds;
  if (workload.generated_tokens > 1 && whole.seconds > prefill.seconds) {
    result.decode_tps = sequences * (workload.generated_tokens - 1) / (whole.seconds - prefill.seconds);
  }
  result.total_tps = (prompts + sequences * workload.generated_tokens) / whole.seconds;
  result.ttft_p50_ms = 1e3 * Percentile(whole.ttft, 0.5);
  result.ttft_p99_ms = 1e3 * Percentile(whole.ttft, 0.99);
  result.itl_p50_ms = 1e3 * Percentile(whole.itl, 0.5);
  result.itl_p99_ms = 1e3 * Percentile(whole.itl, 0.99);
  result.overhead = 1 - whole.forward_seconds / whole.seconds;
  return result;
}

}  // namespace engine::bench
