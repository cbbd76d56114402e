#include "libs/engine/make_engine.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/engine/internal/batch_engine.h"
#include "libs/engine/internal/echo_generator.h"
#include "libs/engine/internal/llm_generator.h"

namespace engine {
namespace {

constexpr base::Duration kEchoStepTimeMax = std::chrono::seconds(10);

absl::StatusOr<std::unique_ptr<Generator>> MakeEcho(const EngineOptions& options) {
  if (options.echo_step_time < base::Duration{} || options.echo_step_time > kEchoStepTimeMax) {
    return absl::InvalidArgumentError(absl::StrCat("echo_step_time is ", base::ToMs(options.echo_step_time),
                                                   " ms, must be in [0, ", base::ToMs(kEchoStepTimeMax), "]"));
  }
  return std::make_unique<EchoGenerator>(options.echo_step_time);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> MakeEngine(const EngineOptions& options) {
  absl::StatusOr<std::unique_ptr<Generator>> generator =
      options.kind == EngineKind::kEcho ? MakeEcho(options) : LlmGenerator::Load(options);
  if (!generator.ok()) return generator.status();
  return BatchEngine::Create(options, *std::move(generator));
}

}  // namespace engine
