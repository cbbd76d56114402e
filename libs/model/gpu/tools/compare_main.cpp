// gpu_compare --model=FILE [--prompts=20] [--tokens=64] [--threads=N] [--device-ordinal=0] [--formats=file/bf16,...]
// How far the device's next-token distributions lie from those of the CPU with F32 activations and F32 K/V, along the
// CPU's own greedy answers: prompts as prefill, answers as decodes, all sequences in one batch.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "libs/model/chat_codec.h"
#include "libs/model/decoder_model.h"
#include "libs/model/gpu/llama_gpu_model.h"

namespace {

constexpr const char* kPrompts[] = {
    "What is the capital of France?",
    "Write a haiku about the sea.",
    "List three colours of the rainbow.",
    "What is 17 + 25?",
    "Explain in one sentence what a message queue is.",
    "My parcel has not arrived. What should I do?",
    "Translate 'good morning' into Spanish.",
    "Who wrote Hamlet?",
    "Give me a recipe for pancakes.",
    "Why is the sky blue?",
    "I would like to change my delivery address.",
    "Name a fruit that is yellow.",
    "How do I reset my password?",
    "Tell me a short story about a fox.",
    "What does HTTP stand for?",
    "Summarise: The meeting was moved from Monday to Tuesday because the room was taken.",
    "Is water wet?",
    "Write a polite reply to a customer who wants a refund.",
    "What is the largest planet?",
    "Count from one to ten.",
};
constexpr std::int32_t kBlockSize = 16;

struct Format {
  const char* name;
  model::GpuWeightsFormat weights;
  model::GpuKvFormat kv;
};
constexpr Format kFormats[] = {
    {"bf16/bf16", model::GpuWeightsFormat::kBf16, model::GpuKvFormat::kBf16},
    {"file/bf16", model::GpuWeightsFormat::kFile, model::GpuKvFormat::kBf16},
    {"file/fp8", model::GpuWeightsFormat::kFile, model::GpuKvFormat::kFp8},
    {"fp8/bf16", model::GpuWeightsFormat::kFp8, model::GpuKvFormat::kBf16},
    {"fp8/fp8", model::GpuWeightsFormat::kFp8, model::GpuKvFormat::kFp8},
};

struct Options {
  std::string model, formats;
  std::int32_t prompts = 20, tokens = 64, ordinal = 0;
  int threads = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, 64U));
};

bool Parse(int argc, char** argv, Options& out) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const std::size_t equals = argument.find('=');
    if (equals == std::string_view::npos) return false;
    const std::string_view name = argument.substr(0, equals);
    const std::string value(argument.substr(equals + 1));
    if (name == "--model") {
      out.model = value;
    } else if (name == "--formats") {
      out.formats = value;
    } else if (name == "--prompts") {
      out.prompts = std::atoi(value.c_str());
    } else if (name == "--tokens") {
      out.tokens = std::atoi(value.c_str());
    } else if (name == "--threads") {
      out.threads = std::atoi(value.c_str());
    } else if (name == "--device-ordinal") {
      out.ordinal = std::atoi(value.c_str());
    } else {
      return false;
    }
  }
  return !out.model.empty() && out.prompts >= 1 && out.prompts <= static_cast<std::int32_t>(std::size(kPrompts)) &&
         out.tokens >= 1 && out.threads >= 1;
}

// One prompt, the CPU's greedy answer to it and what the CPU said before each token of it.
struct Dialogue {
  std::vector<std::int32_t> tokens;  // prompt, then answer
  std::size_t prompt_tokens = 0;
  std::vector<std::vector<float>> logits;  // [answer][vocabulary]

  bool Covers(std::size_t step) const { return step < logits.size(); }
};

// The sequences' blocks lie one behind the other: sequence s has those from s * blocks_each on.
void AddRows(kvcache::StepBatch& batch, const Dialogue& dialogue, std::int32_t index, std::int32_t blocks_each,
             std::size_t begin, std::size_t end) {
  for (std::size_t position = begin; position < end; ++position) {
    batch.token_ids.push_back(dialogue.tokens[position]);
    batch.positions.push_back(static_cast<std::int32_t>(position));
  }
  const auto blocks = static_cast<std::int32_t>((end + kBlockSize - 1) / kBlockSize);
  for (std::int32_t b = 0; b < blocks; ++b)
    batch.block_ids.push_back(static_cast<std::uint32_t>(index * blocks_each + b));
  batch.row_begin.push_back(batch.rows());
  batch.block_begin.push_back(static_cast<std::int32_t>(batch.block_ids.size()));
  batch.logit_rows.push_back(batch.rows() - 1);
}

// Step 0: one batch for each prompt. Step n: the n-th answer token of each sequence that has a distribution after it.
std::vector<std::pair<kvcache::StepBatch, std::vector<std::size_t>>> BatchesOf(const std::vector<Dialogue>& dialogues,
                                                                               std::size_t step,
                                                                               std::int32_t blocks_each,
                                                                               const std::vector<bool>& live) {
  std::vector<std::pair<kvcache::StepBatch, std::vector<std::size_t>>> batches;
  for (std::size_t s = 0; s < dialogues.size(); ++s) {
    if (!live[s]) continue;
    const std::size_t end = dialogues[s].prompt_tokens + step;
    if (step == 0 || batches.empty()) batches.emplace_back().first.Clear();
    AddRows(batches.back().first, dialogues[s], static_cast<std::int32_t>(s), blocks_each, step == 0 ? 0 : end - 1,
            end);
    batches.back().second.push_back(s);
  }
  return batches;
}

std::int32_t ArgMax(const std::vector<float>& logits) {
  return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// The CPU's answers; ends each at its end of turn.
void Answer(model::DecoderModel& cpu, const model::ChatCodec& codec, std::int32_t tokens, std::int32_t blocks_each,
            std::vector<Dialogue>& dialogues) {
  std::vector<bool> live(dialogues.size(), true);
  for (std::int32_t step = 0; step < tokens; ++step) {
    for (const auto& [batch, members] : BatchesOf(dialogues, static_cast<std::size_t>(step), blocks_each, live)) {
      cpu.ForwardStep(batch);
      for (std::size_t i = 0; i < members.size(); ++i) {
        const auto logits = cpu.logits(static_cast<std::int32_t>(i));
        Dialogue& dialogue = dialogues[members[i]];
        dialogue.logits.emplace_back(logits.begin(), logits.end());
        dialogue.tokens.push_back(ArgMax(dialogue.logits.back()));
        live[members[i]] = !codec.tokenizer().IsEndOfGeneration(dialogue.tokens.back());
      }
    }
  }
}

double LogSumExp(const std::vector<float>& logits) {
  const double best = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  double sum = 0.0;
  for (float logit : logits) sum += std::exp(static_cast<double>(logit) - best);
  return best + std::log(sum);
}

// Kullback-Leibler divergence of the device's distribution from the CPU's, in nats.
double Divergence(const std::vector<float>& cpu, const std::vector<float>& device) {
  const double cpu_total = LogSumExp(cpu), device_total = LogSumExp(device);
  double sum = 0.0;
  for (std::size_t i = 0; i < cpu.size(); ++i) {
    const double log_p = static_cast<double>(cpu[i]) - cpu_total;
    sum += std::exp(log_p) * (log_p - (static_cast<double>(device[i]) - device_total));
  }
  return sum;
}

struct Outcome {
  double sum = 0, max = 0;
  std::int64_t positions = 0, agreed = 0;
};

absl::StatusOr<Outcome> Compare(model::LlamaGpuModel& device, const std::vector<Dialogue>& dialogues,
                                std::int32_t blocks_each) {
  Outcome outcome;
  const auto vocabulary = static_cast<std::ptrdiff_t>(device.config().vocabulary);
  for (std::size_t step = 0;; ++step) {
    std::vector<bool> live;
    for (const Dialogue& dialogue : dialogues) live.push_back(dialogue.Covers(step));
    if (std::find(live.begin(), live.end(), true) == live.end()) return outcome;
    for (const auto& [batch, members] : BatchesOf(dialogues, step, blocks_each, live)) {
      const std::vector<model::StepSample> greedy(members.size());
      if (absl::Status status = device.Enqueue(batch, greedy); !status.ok()) return status;
      const auto picks = device.Collect();
      if (!picks.ok()) return picks.status();
      const std::vector<std::int32_t> tokens(picks->begin(), picks->end());
      const auto logits = device.ReadLogits(static_cast<std::int32_t>(members.size()));
      if (!logits.ok()) return logits.status();
      for (std::size_t i = 0; i < members.size(); ++i) {
        const Dialogue& dialogue = dialogues[members[i]];
        const auto row = logits->begin() + static_cast<std::ptrdiff_t>(i) * vocabulary;
        const double divergence = Divergence(dialogue.logits[step], {row, row + vocabulary});
        outcome.sum += divergence;
        outcome.max = std::max(outcome.max, divergence);
        ++outcome.positions;
        outcome.agreed += tokens[i] == dialogue.tokens[dialogue.prompt_tokens + step] ? 1 : 0;
      }
    }
  }
}

absl::Status Run(const Options& options) {
  if (const auto device = model::LlamaGpuModel::FindDevice(options.ordinal); !device.ok()) return device.status();
  auto opened = tensor::GgufFile::Open(options.model);
  if (!opened.ok()) return opened.status();
  const std::shared_ptr<const tensor::GgufFile> file = *std::move(opened);
  const auto codec = model::ChatCodec::Load(*file);
  if (!codec.ok()) return codec.status();
  std::vector<Dialogue> dialogues;
  std::size_t rows_max = static_cast<std::size_t>(options.prompts);
  for (std::int32_t i = 0; i < options.prompts; ++i) {
    const model::ChatMessage message{"user", kPrompts[i]};
    const auto prompt = (*codec)->EncodeChat({&message, 1}, /*add_generation_prompt=*/true);
    if (!prompt.ok()) return prompt.status();
    dialogues.push_back({.tokens = {prompt->begin(), prompt->end()}, .prompt_tokens = prompt->size(), .logits = {}});
    rows_max = std::max(rows_max, prompt->size());
  }
  const auto positions = static_cast<std::int32_t>(rows_max) + options.tokens + 1;
  const std::int32_t blocks_each = (positions + kBlockSize - 1) / kBlockSize;
  {
    auto cpu = model::DecoderModel::Load(file, {.threads = options.threads,
                                                .blocks_total = options.prompts * blocks_each,
                                                .block_size = kBlockSize,
                                                .rows_max = static_cast<std::int32_t>(rows_max),
                                                .samples_max = options.prompts,
                                                .positions_max = positions,
                                                .kv_dtype = kvcache::KvDtype::kF32});
    if (!cpu.ok()) return cpu.status();
    Answer(**cpu, **codec, options.tokens, blocks_each, dialogues);
  }
  std::printf("%-10s  %10s  %10s  %10s  %s\n", "weights/kv", "mean KL", "max KL", "greedy", "positions");
  for (const Format& format : kFormats) {
    if (!options.formats.empty() &&
        ("," + options.formats + ",").find("," + std::string(format.name) + ",") == std::string::npos) {
      continue;
    }
    auto device = model::LlamaGpuModel::Load(*file, {.ordinal = options.ordinal,
                                                     .weights = format.weights,
                                                     .kv = format.kv,
                                                     .blocks_total = options.prompts * blocks_each,
                                                     .block_size = kBlockSize,
                                                     .rows_max = static_cast<std::int32_t>(rows_max),
                                                     .samples_max = options.prompts,
                                                     .positions_max = positions,
                                                     .load_threads = options.threads});
    if (!device.ok()) return device.status();
    const absl::StatusOr<Outcome> outcome = Compare(**device, dialogues, blocks_each);
    if (!outcome.ok()) return outcome.status();
    const auto count = static_cast<double>(outcome->positions);
    std::printf("%-10s  %10.3g  %10.3g  %8.2f %%  %lld\n", format.name, outcome->sum / count, outcome->max,
                100.0 * static_cast<double>(outcome->agreed) / count, static_cast<long long>(outcome->positions));
    std::fflush(stdout);
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!Parse(argc, argv, options)) {
    std::fprintf(stderr,
                 "usage: gpu_compare --model=FILE [--prompts=20] [--tokens=64] [--threads=N] [--device-ordinal=0]\n"
                 "                   [--formats=bf16/bf16,file/bf16,file/fp8,fp8/bf16,fp8/fp8]\n");
    return 2;
  }
  const absl::Status status = Run(options);
  if (!status.ok()) std::fprintf(stderr, "gpu_compare: %s\n", status.ToString().c_str());
  return status.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
}
