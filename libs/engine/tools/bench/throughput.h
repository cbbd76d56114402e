#pragma once

#include <cstdint>
#include <vector>

#include "libs/model/decoder_model.h"

namespace engine::bench {

struct Workload {
  std::int32_t sequences = 1;
  std::int32_t prompt_tokens = 128;
  std::int32_t generated_tokens = 64;
};

// All sequences are submitted at once; their prompts are random tokens, so that nothing is shared.
struct Throughput {
  double prefill_tps = 0;  // prompt tokens until every sequence has its first token
  double decode_tps = 0;   // generated tokens after the first, by the time beyond a run that ends with the first
  double total_tps = 0;    // all tokens of the whole run
  double ttft_p50_ms = 0, ttft_p99_ms = 0;
  double itl_p50_ms = 0, itl_p99_ms = 0;  // gaps between two tokens of one sequence
  double overhead = 0;                    // share of a step that is not the forward pass: scheduler, sampler
};

// Runs the workload through scheduler, model and sampler, as the engine's loop does, without its threads.
// REQUIRES: the model's blocks hold the workload; rows_max is the scheduler's step.
Throughput MeasureThroughput(model::DecoderModel& model, const model::DecoderOptions& options,
                             const Workload& workload);

}  // namespace engine::bench
