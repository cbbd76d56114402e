#pragma once

#include <cstdint>
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
  std::string model_path;               // GGUF file; kLlm only
  std::int32_t threads = 0;             // of the forward pass, [1, 256]; 0: one a core
  std::int32_t kv_blocks = 512;         // KV blocks in the pool, all in memory at worst
  std::int32_t block_size = 16;         // tokens in a block, [1, 256]
  std::int32_t sequences_max = 32;      // running at once, [1, 4096]
  std::int32_t queue_max = 256;         // accepted beyond sequences_max; further submissions get ResourceExhausted
  std::int32_t step_tokens_max = 256;   // rows of one step, [sequences_max, 65536]; more: faster prefill, longer ITL
  std::int32_t context_tokens_max = 0;  // prompt and answer of a sequence; 0: as much as model and pool allow
  base::Duration echo_step_time{};      // kEcho only: how long a step takes, [0, 10 s]
};

// InvalidArgument: an option, by name. NotFound, PermissionDenied, DataLoss, FailedPrecondition, Unimplemented: the
// model file, with the reason. ResourceExhausted: no memory for the KV pool (kv_blocks).
absl::StatusOr<std::unique_ptr<Engine>> MakeEngine(const EngineOptions& options);

}  // namespace engine
