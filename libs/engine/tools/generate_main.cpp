// generate --model=FILE --prompt=TEXT [--tokens=64] [--threads=0] [--temperature=0] [--seed=0]
//          [--device=cpu|cuda|emulator] [--weights=file|bf16|fp8] [--kv=auto|f16|q8|bf16|fp8]
// Answers one prompt through the whole engine and says how fast. A developer's tool; it takes part in no service.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <string>
#include <string_view>

#include "libs/engine/make_engine.h"

namespace {

struct Arguments {
  engine::EngineOptions options;
  engine::GenerationRequest request;
};

// False: an argument that is not understood.
bool Parse(int argc, char** argv, Arguments& out) {
  std::string prompt;
  out.request.tokens_max = 64;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const std::size_t equals = argument.find('=');
    if (equals == std::string_view::npos) return false;
    const std::string_view name = argument.substr(0, equals);
    const std::string value(argument.substr(equals + 1));
    if (name == "--model") {
      out.options.model_path = value;
    } else if (name == "--prompt") {
      prompt = value;
    } else if (name == "--tokens") {
      out.request.tokens_max = std::atoi(value.c_str());
    } else if (name == "--threads") {
      out.options.threads = std::atoi(value.c_str());
    } else if (name == "--device") {
      out.options.device = value;
    } else if (name == "--weights") {
      out.options.weights = value;
    } else if (name == "--kv") {
      out.options.kv = value;
    } else if (name == "--temperature") {
      out.request.sampling.temperature = std::strtof(value.c_str(), nullptr);
    } else if (name == "--seed") {
      out.request.sampling.seed = std::strtoull(value.c_str(), nullptr, 10);
    } else {
      return false;
    }
  }
  out.request.tenant = "developer";
  out.request.messages = {{engine::Role::kUser, prompt}};
  return !out.options.model_path.empty() && !prompt.empty();
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!Parse(argc, argv, arguments)) {
    std::fprintf(
        stderr,
        "usage: generate --model=FILE --prompt=TEXT [--tokens=64] [--threads=0] [--temperature=0] [--seed=0]\n"
        "                [--device=cpu|cuda|emulator] [--weights=file|bf16|fp8] [--kv=auto|f16|q8|bf16|fp8]\n");
    return 2;
  }
  auto engine = engine::MakeEngine(arguments.options);
  if (!engine.ok()) return Fail(engine.status());
  std::fprintf(stderr, "%s on %s\n", (*engine)->model_name().c_str(), (*engine)->device_name().c_str());

  std::promise<absl::StatusOr<engine::GenerationResult>> done;
  const auto id =
      (*engine)->Submit(std::move(arguments.request), [&](auto result) { done.set_value(std::move(result)); });
  if (!id.ok()) return Fail(id.status());
  const auto began = std::chrono::steady_clock::now();
  const absl::StatusOr<engine::GenerationResult> result = done.get_future().get();
  if (!result.ok()) return Fail(result.status());

  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  const double ttft = base::ToSeconds(result->ttft);
  std::printf("%s\n", result->text.c_str());
  std::fprintf(stderr, "%d prompt tokens at %.0f tokens/s, %d generated at %.0f tokens/s\n", result->prompt_tokens,
               result->prompt_tokens / ttft, result->completion_tokens,
               (result->completion_tokens - 1) / (seconds - ttft));
  return 0;
}
