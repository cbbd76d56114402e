// The part --memory: what the engine keeps in memory beyond the weights, counted as the file has them, and the KV pool,
// while a full batch runs. A second copy of the weights would show here, and so would whatever the run leaves behind.
#include <unistd.h>

#include <cstdio>
#include <deque>
#include <fstream>
#include <string>

#include "libs/engine/tools/bench/bench_engine.h"
#include "libs/engine/tools/bench/bench_model.h"
#include "libs/engine/tools/bench/options.h"
#include "libs/model/decoder_config.h"

namespace engine::bench {
namespace {

// A value of /proc/self/status in bytes; 0 where there is none.
double StatusBytes(const std::string& name) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(name + ":")) return 1024.0 * std::stod(line.substr(name.size() + 1));
  }
  return 0;
}

double WeightBytes(const tensor::GgufFile& file) {
  double bytes = 0;
  for (const tensor::Tensor& tensor : file.tensors()) bytes += static_cast<double>(tensor.data.size());
  return bytes;
}

}  // namespace

int RunMemory(const Options& options) {
  const std::int32_t batch = options.batches.empty() ? 32 : options.batches.front();
  const std::int32_t prompt = options.prompt > 0 ? options.prompt : 128;
  const std::int32_t generate = options.generate > 0 ? options.generate : 64;
  double weights = 0;
  model::DecoderConfig config;
  {
    const auto file = OpenFile(options);
    if (!file.ok()) return Fail(file.status().ToString());
    weights = WeightBytes(**file);
    const auto read = model::DecoderConfig::FromGguf(**file);
    if (!read.ok()) return Fail(read.status().ToString());
    config = *read;
  }
  const auto engine = MakeBenchEngine(options, batch, batch * (prompt + generate + 64));
  if (!engine.ok()) return Fail(engine.status().ToString());
  // Rounds until the pool has no block that was never written: only then does all of it count as resident.
  std::int64_t tokens = 0;
  const Credit credit = (*engine)->credit();
  for (std::uint32_t round = 0; tokens < 3 * credit.blocks_total * credit.block_size; ++round) {
    std::deque<Answer> answers;
    for (std::int32_t i = 0; i < batch; ++i) {
      const std::uint32_t seed = round * 10'000 + static_cast<std::uint32_t>(i);
      absl::Status status = answers.emplace_back().Start(**engine, Request(TextOf(**engine, prompt, seed), generate));
      if (!status.ok()) return Fail(status.ToString());
    }
    for (Answer& answer : answers) {
      const auto result = answer.Wait();
      if (!result.ok()) return Fail(result.status().ToString());
      tokens += result->prompt_tokens + result->completion_tokens;
    }
  }
  const double kv = KvPoolBytes(config, static_cast<std::int32_t>(credit.blocks_total), credit.block_size, options);
  const double resident = StatusBytes("VmRSS"), peak = StatusBytes("VmHWM");
  const double beyond = resident - weights - kv;
  std::printf(options.json ? "{\"resident_mb\": %.1f, \"peak_mb\": %.1f, \"weights_mb\": %.1f, \"kv_pool_mb\": %.1f, "
                             "\"beyond_mb\": %.1f, \"file_pages_mb\": %.1f}\n"
                           : "resident %.1f MB (at most %.1f), weights %.1f MB, KV pool %.1f MB: %.1f MB beyond them "
                             "(pages of files %.1f MB)\n",
              resident / 1e6, peak / 1e6, weights / 1e6, kv / 1e6, beyond / 1e6, StatusBytes("RssFile") / 1e6);
  return 0;
}

}  // namespace engine::bench
