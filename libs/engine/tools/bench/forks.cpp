// The part --fork: the time of four branches from one prefill against the time of one, on an idle engine.
#include <cstdio>

#include "libs/engine/tools/bench/bench_engine.h"
#include "libs/engine/tools/bench/bench_model.h"
#include "libs/engine/tools/bench/options.h"

namespace engine::bench {
namespace {

constexpr std::int32_t kBranches = 4;

}  // namespace

int RunForks(const Options& options) {
  const std::int32_t prompt = options.prompt > 0 ? options.prompt : 256;
  const std::int32_t generate = options.generate > 0 ? options.generate : 64;
  const auto engine = MakeBenchEngine(options, /*sequences_max=*/8, 4 * (prompt + kBranches * generate) + 1024);
  if (!engine.ok()) return Fail(engine.status().ToString());
  std::vector<double> one, four, ratio;
  for (std::int32_t round = 0; round <= options.rounds; ++round) {  // the first one touches every page
    double seconds[2] = {};
    for (const std::int32_t branches : {1, kBranches}) {
      const auto seed = static_cast<std::uint32_t>(2 * round + (branches > 1 ? 1 : 0));
      GenerationRequest request = Request(TextOf(**engine, prompt, seed), generate);
      request.sampling.temperature = 0.8F;  // greedy branches would all say the same
      request.sampling.top_p = 0.95F;
      request.branches = branches;
      const auto timed = RunAlone(**engine, std::move(request));
      if (!timed.ok()) return Fail(timed.status().ToString());
      seconds[branches > 1 ? 1 : 0] = timed->seconds;
    }
    if (round == 0) continue;
    one.push_back(seconds[0]);
    four.push_back(seconds[1]);
    ratio.push_back(seconds[1] / seconds[0]);
  }
  std::printf(options.json ? "{\"branches\": %d, \"prompt\": %d, \"generate\": %d, \"one_ms\": %.1f, \"branches_ms\": "
                             "%.1f, \"ratio\": %.3f}\n"
                           : "%d branches of a prefill of %d tokens, %d tokens each: %.1f ms for one, %.1f ms for all, "
                             "ratio %.2f\n",
              kBranches, prompt, generate, 1e3 * Median(one), 1e3 * Median(four), Median(ratio));
  return 0;
}

}  // namespace engine::bench
