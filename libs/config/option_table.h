#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace config {

// The options of one process as data: one table parses flags, environment and YAML, checks bounds, prints --help and
// --print-config, and generates docs/CONFIGURATION.md (a test fails when that file is stale).
//
// Precedence: flag  --kafka-brokers=H:P  >  environment  MESH_KAFKA_BROKERS  >  YAML key  kafka_brokers: under the
// service's own section  >  the same under `common:`  >  default. Each value that is given is checked, one that loses
// to a higher source too. The YAML file is named by --config or MESH_CONFIG.
//
// An unknown flag or key is an error that names the nearest one. All services may share one file, so keys of `common:`
// that this service does not have are skipped, unless they look like a misspelling of one it has. Unknown environment
// variables are skipped: they may be meant for another program.
//
// Flags: --name=value, --name value, --flag, --no-flag; the last of several counts; `--` ends them.
//
// Usage: a service's Options struct registers its members, then calls Parse:
//   Options options;  config::OptionTable table("worker", "Consumes turns, runs the engine, produces replies.");
//   table.Add("kafka-brokers", &options.kafka_brokers, {.doc = "Bootstrap servers", .unit = "host:port,..."});
//   table.Add("kv-blocks", &options.kv_blocks, {.doc = "...", .unit = "blocks", .min = 16, .max = 1 << 20});
// Threading: none; used before threads start. Pointers must outlive the table.
struct OptionSpec {
  std::string doc = {};   // one or two sentences: what it does and when to change it
  std::string unit = {};  // "ms", "bytes", "blocks"; empty for none
  double min = 0;         // numbers only; inclusive. min == max == 0: unbounded
  double max = 0;
  std::vector<std::string> choices = {};  // strings and list items only; empty for any
};

class OptionTable {
 public:
  // `program` is the service's name; a sub-command's table is named by both words, "meshctl send", and reads the YAML
  // section of the first.
  OptionTable(std::string program, std::string summary);
  ~OptionTable();
  OptionTable(const OptionTable&) = delete;
  OptionTable& operator=(const OptionTable&) = delete;

  // The present value of `target` is the default. A bug (CHECK): a name that is not lower-case kebab, used twice or
  // reserved, a missing doc, a default that is not allowed.
  void Add(std::string name, std::string* target, OptionSpec spec);
  void Add(std::string name, std::int64_t* target, OptionSpec spec);
  void Add(std::string name, std::int32_t* target, OptionSpec spec);
  void Add(std::string name, double* target, OptionSpec spec);
  void Add(std::string name, bool* target, OptionSpec spec);
  void Add(std::string name, std::vector<std::string>* target, OptionSpec spec);  // comma separated

  // Arguments that are no flags go to `target` in order; without this call they are errors. `name` is for the usage
  // line: "FILE...".
  void AllowPositionals(std::vector<std::string>* target, std::string name, std::string doc);

  void AddExample(std::string command_line, std::string what_it_does);  // shown by --help

  // Reads the YAML file if one is named, then the environment, then flags. Handles --help, --version and --print-config
  // by printing to stdout and returning kExit. All mistakes are listed in one InvalidArgument, a line each, with the
  // option, its source, the bad value and what is allowed; the outcome is then kExit and targets may hold a part of the
  // new values. argv[0] is skipped.
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
  std::unique_ptr<Rep> rep_;
};

}  // namespace config
