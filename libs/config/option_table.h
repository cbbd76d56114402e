#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace config {

// The options of one process as data: one table parses flags, environment and YAML, checks bounds, prints --help and
// --print-config, and generates docs/CONFIGURATION.md (a test fails when that file is stale).
//
// Precedence: flag  --kafka-brokers=H:P  >  environment  MESH_KAFKA_BROKERS  >  YAML key  kafka_brokers: under the
// service's own section or `common:`  >  default. An unknown flag or key is an error that names the nearest one.
//
// Usage: a service's Options struct registers its members, then calls Parse:
//   Options options;  config::OptionTable table("worker", "Consumes turns, runs the engine, produces replies.");
//   table.Add("kafka-brokers", &options.kafka_brokers, {.doc = "Bootstrap servers", .unit = "host:port,..."});
//   table.AddInt("kv-blocks", &options.kv_blocks, {.min = 16, .max = 1 << 20, .unit = "blocks", .doc = "..."});
// Threading: none; used before threads start. Pointers must outlive the table.
struct OptionSpec {
  std::string doc = {};  // one or two sentences: what it does and when to change it
  std::string unit = {};  // "ms", "bytes", "blocks"; empty for none
  double min = 0;        // numbers only; inclusive. min == max == 0: unbounded
  double max = 0;
  std::vector<std::string> choices = {};  // strings only; empty for any
};

class OptionTable {
 public:
  OptionTable(std::string program, std::string summary);
  ~OptionTable();
  OptionTable(const OptionTable&) = delete;
  OptionTable& operator=(const OptionTable&) = delete;

  // The present value of `target` is the default.
  void Add(std::string name, std::string* target, OptionSpec spec);
  void Add(std::string name, std::int64_t* target, OptionSpec spec);
  void Add(std::string name, std::int32_t* target, OptionSpec spec);
  void Add(std::string name, double* target, OptionSpec spec);
  void Add(std::string name, bool* target, OptionSpec spec);
  void Add(std::string name, std::vector<std::string>* target, OptionSpec spec);  // comma separated

  void AddExample(std::string command_line, std::string what_it_does);  // shown by --help

  // Reads --config=FILE (YAML) if given, then environment, then flags. Handles --help, --version and --print-config by
  // printing and returning kExit. Errors name the option, its source, the bad value and what is allowed.
  enum class Outcome { kRun, kExit };
  struct ParseResult {
    absl::Status status;
    Outcome outcome = Outcome::kRun;
  };
  ParseResult Parse(int argc, const char* const* argv);

  // One section of docs/CONFIGURATION.md.
  std::string ToMarkdown() const;

 private:
  struct Rep;
  Rep* rep_;
};

}  // namespace config
