#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "libs/base/clock.h"
#include "libs/engine/engine.h"

namespace engine {

enum class EngineKind {
  kLlm,   // a real model
  kEcho,  // answers "echo: <last user message>"; same scheduler, blocks and steps, for fault and load tests alone
};

// Bounds are checked by MakeEngine. The worker's option table repeats names and defaults for its documentation.
struct EngineOptions {
  EngineKind kind = EngineKind::kLlm;
  std::string model_path;          // GGUF file; kLlm only
  std::int32_t threads = 0;        // of the forward pass, [1, 256]; 0: one a usable core
  std::int32_t kv_blocks = 0;      // KV blocks in the pool; 0: 512, and on a card as many as its memory takes
  std::int32_t block_size = 16;    // tokens in a block, [1, 256]
  std::int32_t sequences_max = 0;  // running at once, [1, 4096]; 0: 32, and on a card 64
  std::int32_t queue_max = 256;    // accepted beyond sequences_max; further submissions get ResourceExhausted
  // Rows of one step, [sequences_max, 65536]; more: faster prefill, longer ITL. 0: 512, and on a card 2,048, where more
  // rows cost little until its arithmetic is busy; at least sequences_max.
  std::int32_t step_tokens_max = 0;
  std::int32_t context_tokens_max = 0;  // prompt and answer of a sequence, at least 2; 0: as model and pool allow
  // Keeps what sequences computed, until its blocks are wanted, for later ones of the same tenant that begin alike.
  bool prefix_cache = true;
  // KV blocks that fit beside the pool, for sequences that are preempted; 0: they are computed again. -1: on the CPU
  // half of kv_blocks, whose memory is used only when they are; on a device none.
  std::int32_t swap_blocks = -1;
  base::Duration echo_step_time{};  // kEcho only: how long a step takes, [0, 10 s]
  std::int32_t echo_steps_max = 0;  // kEcho only: a longer answer has larger tokens, so that it ends in time; 0: none

  // kLlm on the CPU: what matrix products round. "int8": their inputs to 8 bits where the weights are quantised,
  // several times faster, and weights of other formats to BF16. "f32": nothing.
  std::string activations = "int8";

  // kLlm only: where the forward pass runs. "cpu"; "cuda": a card, in a build for it; "emulator": the device kernels on
  // the CPU, thousands of times slower, in a build without CUDA, for tests.
  std::string device = "cpu";
  std::int32_t device_ordinal = 0;   // which card, and the first of several
  std::int32_t tensor_parallel = 1;  // cards that share the model, [1, 8]; 1 on the CPU
  std::string weights = "file";      // on a device: "file": as in the file, "bf16" or "fp8"
  // kLlm only, the KV cache: on the CPU "f16" or "q8" (8 bits and a scale a token and head, about half the memory), on
  // a device "bf16" or "fp8". "auto": q8 with VNNI, else f16, and on a device "bf16".
  std::string kv = "auto";
  // Told now and then while a device loads the weights, while MakeEngine runs and on one thread.
  std::function<void(std::int64_t bytes_done, std::int64_t bytes_total)> on_load{};
  // The device failed and nothing will run on it in this process any more. Called on the engine's thread before any
  // sequence is told, so that who ends the process here loses no turn. Unset: every sequence fails with Internal.
  std::function<void(const absl::Status&)> on_device_lost{};
};

// InvalidArgument: an option, by name. NotFound, PermissionDenied, DataLoss, FailedPrecondition, Unimplemented: the
// model file, with the reason. FailedPrecondition also: no usable card, says what was found. ResourceExhausted: no
// memory for the KV pool (kv_blocks), or on the device.
absl::StatusOr<std::unique_ptr<Engine>> MakeEngine(const EngineOptions& options);

}  // namespace engine
