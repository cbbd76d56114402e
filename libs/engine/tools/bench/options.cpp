#include "libs/engine/tools/bench/options.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <initializer_list>
#include <string_view>

#include "libs/base/str_cat.h"

namespace engine::bench {

const char* const kHelpText =
    R"(engine_bench: what the CPU engine reaches, beside this machine's limits. One part a run:

  (none)               throughput: one row a batch size, through scheduler, model and sampler as the engine's loop does
  --perplexity=FILE    of this text, as llama.cpp's tool defines it
  --context-growth     gap between tokens as the context grows, beside the bytes of KV cache read
  --fork               four branches from one prefill against one branch, idle engine
  --second-turn        time to the first token of a conversation's second turn against its first
  --arriving-prompt    gaps between the tokens of 8 running chats while a long prompt arrives, and its first token
  --memory             resident memory beyond weights and KV pool, under full load

  --model=FILE         GGUF file
  --threads=2          of the forward pass
  --batch=1,8,16,32    sequences at once, a row each (--context-growth: 1,8; --memory: 32; --arriving-prompt: 8)
  --prompt=128         tokens of each prompt (--fork: 256; --second-turn: 1500; --arriving-prompt: 4000)
  --generate=64        tokens generated for each
  --step-tokens=512    rows of a step at most
  --activations=int8   int8 or f32: how the inputs of products with quantised weights are rounded
  --kv=auto            auto, f16 or q8: the KV cache; auto as the worker
  --context=512        tokens of a chunk of --perplexity; contexts of --context-growth, rising (128,512,2048,8000)
  --rounds=5           of the parts that compare two times; medians count
  --trace=FILE         also writes when each thread worked on which kernel in the last batch size, for ui.perfetto.dev
  --json               one JSON object a row
  --help               this text

Throughput's columns: tokens a second of prefill, decode and both; time to the first token and gap between tokens, in
ms; what of a step is scheduler and sampler; operations beside the int8 limit (prefill) and bytes of weights beside the
memory limit (decode), both measured here with the same threads. The parts from --fork on run the whole engine, as a
worker does.

Examples
  build/bin/engine_bench --model=.run/models/SmolLM2-135M-Instruct.Q4_1.gguf
  build/bin/engine_bench --model=M.gguf --batch=1 --prompt=512 --generate=1
  build/bin/engine_bench --model=M.gguf --perplexity=/usr/share/common-licenses/GPL-3
  build/bin/engine_bench --model=M.gguf --arriving-prompt --json
)";

namespace {

bool Number(std::string_view text, std::int32_t max, std::int32_t* out) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), *out);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && *out >= 1 && *out <= max;
}

bool Numbers(std::string_view text, std::int32_t max, std::vector<std::int32_t>* out) {
  out->clear();
  while (true) {
    const std::size_t comma = text.find(',');
    if (!Number(text.substr(0, comma), max, &out->emplace_back())) return false;
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
}

bool OneOf(std::string_view value, std::initializer_list<std::string_view> known, std::string* out) {
  *out = value;
  return std::ranges::find(known, value) != known.end();
}

bool PartNamed(std::string_view name, Part* part) {
  constexpr std::pair<std::string_view, Part> kParts[] = {{"--help", Part::kHelp},
                                                          {"--context-growth", Part::kContextGrowth},
                                                          {"--fork", Part::kForks},
                                                          {"--second-turn", Part::kSecondTurn},
                                                          {"--arriving-prompt", Part::kArrivingPrompt},
                                                          {"--memory", Part::kMemory}};
  for (const auto& [known, value] : kParts) {
    if (name == known) return *part = value, true;
  }
  return false;
}

// What a value may be, for who wrote another one; nullptr: there is no such option.
const char* ValuesOf(std::string_view name) {
  constexpr std::pair<std::string_view, const char*> kValues[] = {
      {"--model", "a file"},
      {"--trace", "a file"},
      {"--perplexity", "a file"},
      {"--threads", "1 to 256"},
      {"--prompt", "1 to 65536 tokens"},
      {"--generate", "1 to 65536 tokens"},
      {"--step-tokens", "1 to 16384 rows"},
      {"--rounds", "1 to 1000"},
      {"--context", "numbers of 1 to 65536 tokens with commas between them"},
      {"--batch", "numbers of 1 to 1024 sequences with commas between them"},
      {"--kv", "auto, f16 or q8"},
      {"--activations", "int8 or f32"}};
  for (const auto& [known, values] : kValues) {
    if (name == known) return values;
  }
  return nullptr;
}

// False: `argument` is not understood.
bool Take(std::string_view argument, Options& options) {
  constexpr std::int32_t kTokensMax = 1 << 16;
  if (PartNamed(argument, &options.part)) return true;
  const std::size_t equals = argument.find('=');
  const std::string_view name = argument.substr(0, equals);
  const std::string_view value = equals == std::string_view::npos ? "" : argument.substr(equals + 1);
  if (name == "--json" && value.empty()) return options.json = true;
  if (name == "--model") return !(options.model = value).empty();
  if (name == "--trace") return !(options.trace = value).empty();
  if (name == "--perplexity") {
    options.part = Part::kPerplexity;
    return !(options.text = value).empty();
  }
  if (name == "--threads") return Number(value, 256, &options.threads);
  if (name == "--prompt") return Number(value, kTokensMax, &options.prompt);
  if (name == "--generate") return Number(value, kTokensMax, &options.generate);
  if (name == "--step-tokens") return Number(value, 1 << 14, &options.step_tokens);
  if (name == "--rounds") return Number(value, 1000, &options.rounds);
  if (name == "--context") return Numbers(value, kTokensMax, &options.contexts);
  if (name == "--batch") return Numbers(value, 1024, &options.batches);
  if (name == "--kv") return OneOf(value, {"auto", "f16", "q8"}, &options.kv);
  return name == "--activations" && OneOf(value, {"int8", "f32"}, &options.activations);
}

}  // namespace

absl::StatusOr<Options> ParseOptions(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    if (Take(argv[i], options)) continue;
    const std::string_view argument = argv[i];
    const std::string_view name = argument.substr(0, argument.find('='));
    if (const char* values = ValuesOf(name)) {
      return absl::InvalidArgumentError(
          base::StrCat("'", argument, "' does not fit; write ", name, "=VALUE with ", values));
    }
    return absl::InvalidArgumentError(base::StrCat("'", argument, "' is not understood; --help lists the options"));
  }
  if (options.model.empty() && options.part != Part::kHelp) {
    return absl::InvalidArgumentError(
        "--model=FILE is missing, such as --model=.run/models/SmolLM2-135M-Instruct.Q4_1.gguf (from `make model`)");
  }
  return options;
}

int Fail(const std::string& message) {
  std::fprintf(stderr, "engine_bench: %s\n", message.c_str());
  return 1;
}

}  // namespace engine::bench
