#include "services/worker/engine_metrics.h"

namespace worker {

EngineMetrics::EngineMetrics(telemetry::Registry& registry)
    : running_(registry.AddGauge("worker_sequences_running", "Sequences that hold KV blocks.")),
      queued_(registry.AddGauge("worker_sequences_queued", "Sequences that wait for their first step.")),
      preempted_(registry.AddGauge("worker_sequences_preempted", "Sequences that lost their blocks and will resume.")),
      blocks_free_(
          registry.AddGauge("worker_kv_blocks_free", "KV blocks neither held nor promised, cached prefixes included.")),
      blocks_total_(registry.AddGauge("worker_kv_blocks", "KV blocks of the pool.")),
      prefix_tokens_(
          registry.AddCounter("worker_prefix_tokens_total", "Prompt tokens found in the prefix cache, not computed.")),
      prefill_tokens_(registry.AddCounter("worker_prefill_tokens_total", "Prompt tokens processed.")),
      decode_tokens_(
          registry.AddCounter("worker_decode_tokens_total", "Tokens processed one at a time after the prompt.")),
      steps_(registry.AddCounter("worker_steps_total", "Forward passes.")),
      step_seconds_(registry.AddCounter("worker_step_seconds_total", "Time inside steps: forward pass and sampling.")),
      preemptions_(registry.AddCounter("worker_preemptions_total", "Sequences that lost their blocks.")),
      swaps_(registry.AddCounter("worker_swaps_total", "Of those, sequences whose blocks went to the host.")),
      forks_(registry.AddCounter("worker_forks_total", "Branches made beside the first of a request.")),
      sequences_failed_(registry.AddCounter("worker_sequences_failed_total", "Sequences that ended with an error.")) {}

void EngineMetrics::Refresh(const engine::Engine& engine) {
  const engine::EngineStats stats = engine.stats();
  running_.Set(stats.running);
  queued_.Set(stats.queued);
  preempted_.Set(stats.preempted);
  blocks_free_.Set(static_cast<double>(engine.credit().blocks_free));
  blocks_total_.Set(static_cast<double>(stats.blocks_total));
  const auto add = [](const telemetry::Counter& counter, auto now, auto before) {
    counter.Increment(static_cast<double>(now - before));
  };
  add(prefix_tokens_, stats.prefix_tokens_total, exported_.prefix_tokens_total);
  add(prefill_tokens_, stats.prefill_tokens_total, exported_.prefill_tokens_total);
  add(decode_tokens_, stats.decode_tokens_total, exported_.decode_tokens_total);
  add(steps_, stats.steps_total, exported_.steps_total);
  add(step_seconds_, stats.step_seconds_total, exported_.step_seconds_total);
  add(preemptions_, stats.preemptions_total, exported_.preemptions_total);
  add(swaps_, stats.swaps_total, exported_.swaps_total);
  add(forks_, stats.forks_total, exported_.forks_total);
  add(sequences_failed_, stats.sequences_failed_total, exported_.sequences_failed_total);
  exported_ = stats;
}

}  // namespace worker
