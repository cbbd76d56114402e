// What the CPU engine reaches beside the machine's limits; `engine_bench --help` says how. A developer's tool; it takes
// part in no service.
#include <cstdio>

#include "libs/engine/tools/bench/options.h"

int main(int argc, char** argv) {
  namespace bench = engine::bench;
  const auto options = bench::ParseOptions(argc, argv);
  if (!options.ok()) return bench::Fail(std::string(options.status().message()));
  switch (options->part) {
    case bench::Part::kHelp:
      return std::fputs(bench::kHelpText, stdout) < 0;
    case bench::Part::kThroughput:
      return bench::RunThroughput(*options);
    case bench::Part::kPerplexity:
      return bench::RunPerplexity(*options);
    case bench::Part::kContextGrowth:
      return bench::RunContextGrowth(*options);
    case bench::Part::kForks:
      return bench::RunForks(*options);
    case bench::Part::kSecondTurn:
      return bench::RunSecondTurn(*options);
    case bench::Part::kArrivingPrompt:
      return bench::RunArrivingPrompt(*options);
    case bench::Part::kMemory:
      return bench::RunMemory(*options);
  }
}
