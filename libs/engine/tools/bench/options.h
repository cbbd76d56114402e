#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/tensor/gguf.h"

namespace engine::bench {

// What one run of engine_bench measures. Every part reads the same options and their defaults are the engine's own, so
// that two figures of one command line come from the same engine.
enum class Part { kHelp, kThroughput, kPerplexity, kContextGrowth, kForks, kSecondTurn, kArrivingPrompt, kMemory };

struct Options {
  Part part = Part::kThroughput;
  std::string model;
  std::string text;   // of kPerplexity
  std::string trace;  // of kThroughput: a file to write; empty: none
  std::int32_t threads = 2;
  std::vector<std::int32_t> batches;   // empty: the part's own
  std::vector<std::int32_t> contexts;  // of kPerplexity the first, of kContextGrowth all; empty: the part's own
  std::int32_t prompt = 0;             // tokens; 0: the part's own
  std::int32_t generate = 0;           // tokens; 0: the part's own
  std::int32_t step_tokens = 512;
  std::int32_t rounds = 5;  // of the parts that print a ratio of two times: the median counts
  std::string activations = "int8";
  std::string kv = "auto";
  bool json = false;
};

// InvalidArgument: which argument is not understood, or that a needed one is missing.
absl::StatusOr<Options> ParseOptions(int argc, char** argv);

extern const char* const kHelpText;

// The parts. Each measures, prints to stdout and returns the process's exit code; errors go to stderr.
int RunThroughput(const Options& options);
int RunPerplexity(const Options& options);
int RunContextGrowth(const Options& options);
int RunForks(const Options& options);
int RunSecondTurn(const Options& options);
int RunArrivingPrompt(const Options& options);
int RunMemory(const Options& options);

int Fail(const std::string& message);  // says it on stderr; 1

}  // namespace engine::bench
