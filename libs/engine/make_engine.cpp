#include "libs/engine/make_engine.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/engine/internal/batch_engine.h"
#include "libs/engine/internal/echo_generator.h"
#include "libs/engine/internal/llm_generator.h"

namespace engine {
namespace {

constexpr std::int32_t kKvBlocksDefault = 512;
constexpr std::int32_t kSequencesDefault = 32, kSequencesDefaultOnCard = 64;
constexpr std::int32_t kStepTokensDefault = 512, kStepTokensDefaultOnCard = 2048;
constexpr base::Duration kEchoStepTimeMax = std::chrono::seconds(10);

absl::StatusOr<std::unique_ptr<Generator>> MakeEcho(const EngineOptions& options) {
  if (options.echo_step_time < base::Duration{} || options.echo_step_time > kEchoStepTimeMax) {
    return absl::InvalidArgumentError(absl::StrCat("echo_step_time is ", base::ToMs(options.echo_step_time),
                                                   " ms, must be in [0, ", base::ToMs(kEchoStepTimeMax), "]"));
  }
  return std::make_unique<EchoGenerator>(options.echo_step_time, options.echo_steps_max);
}

// An option without effect would leave its user believing that it has one.
absl::Status CheckCardOptions(const EngineOptions& options) {
  const char* name = options.weights != "file"      ? "weights"
                     : options.tensor_parallel != 1 ? "tensor_parallel"
                     : options.device_ordinal != 0  ? "device_ordinal"
                                                    : nullptr;
  if (name == nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, " is for a card; leave it out, or choose device=cuda"));
}

absl::StatusOr<std::unique_ptr<Engine>> Make(const EngineOptions& asked) {
  EngineOptions options = asked;
  const bool on_card = options.kind == EngineKind::kLlm && options.device == "cuda";
  if (options.kv == "auto" && options.device != "cpu") options.kv = "bf16";
  if (options.kv_blocks == 0 && !on_card) options.kv_blocks = kKvBlocksDefault;
  if (options.sequences_max == 0) options.sequences_max = on_card ? kSequencesDefaultOnCard : kSequencesDefault;
  if (options.step_tokens_max == 0) {
    options.step_tokens_max = std::max(on_card ? kStepTokensDefaultOnCard : kStepTokensDefault, options.sequences_max);
  }
  const bool on_host = options.kind == EngineKind::kLlm && options.device == "cpu";
  if (on_host) {
    if (absl::Status status = CheckCardOptions(options); !status.ok()) return status;
  }
  if (options.swap_blocks < -1 || options.swap_blocks > (1 << 24) || (options.swap_blocks > 0 && !on_host)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "swap_blocks is ", options.swap_blocks, ", must be in [-1, 2^24], and at most 0 without a model on the CPU"));
  }
  if (options.swap_blocks == -1) options.swap_blocks = on_host ? std::max(options.kv_blocks, 0) / 2 : 0;
  absl::StatusOr<std::unique_ptr<Generator>> generator =
      options.kind == EngineKind::kEcho ? MakeEcho(options) : LlmGenerator::Load(options);
  if (!generator.ok()) return generator.status();
  if (options.kv_blocks == 0) options.kv_blocks = (*generator)->kv_blocks();
  return BatchEngine::Create(options, *std::move(generator));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> MakeEngine(const EngineOptions& options) {
  try {
    return Make(options);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(absl::StrCat("no memory to load model file ", options.model_path,
                                                     "; give the process more, or lower kv_blocks"));
  } catch (const std::system_error& error) {  // of std::thread
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot start the engine's threads: ", error.what(), "; lower threads"));
  }
}

}  // namespace engine
