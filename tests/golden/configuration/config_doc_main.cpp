// Prints docs/CONFIGURATION.md from the option tables of all services, or with --check=FILE fails when the file is
// stale.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "libs/config/option_table.h"
#include "services/exporter/config.h"
#include "services/gateway/config.h"
#include "services/sender/config.h"
#include "services/session/config.h"
#include "services/worker/config.h"

namespace {

constexpr char kIntroduction[] =
    "# Configuration\n\n"
    "Made by `make docs` from the option tables in `services/*/config.cpp`; a test fails when it is stale. Every "
    "service also "
    "prints\nthis with `--help`, and the values in force, each with its source, with `--print-config`.\n\n"
    "Precedence: flag, then environment, then the YAML file named by `--config` (a section for each service, and "
    "`common:`), "
    "then\ndefault. Accounts have a file of their own: [accounts.md](accounts.md).\n\n";

template <typename Options>
std::string Section(const char* program, const char* summary, Options options,
                    void (*register_options)(config::OptionTable&, Options*)) {
  config::OptionTable table(program, summary);
  register_options(table, &options);
  return table.ToMarkdown() + "\n";
}

std::string Document() {
  return kIntroduction +
         Section<gateway::Options>("gateway", "Takes webhooks, verifies and decodes them and writes records.", {},
                                   gateway::RegisterOptions) +
         Section<worker::Options>("worker", "Consumes turns, runs the engine and produces replies.", {},
                                  worker::RegisterOptions) +
         Section("session", "Serves conversations and their history from Redis over gRPC.",
                 session_service::DefaultOptions(), session_service::RegisterOptions) +
         Section<sender::Options>("sender", "Delivers replies through the Graph API.", {}, sender::RegisterOptions) +
         Section<exporter::Options>("exporter", "Exports lag, queue age and device figures.", {},
                                    exporter::RegisterOptions);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string document = Document();
  if (argc < 2) {
    std::fputs(document.c_str(), stdout);
    return 0;
  }
  if (std::strncmp(argv[1], "--check=", 8) != 0) {
    std::fprintf(stderr, "config_doc: prints docs/CONFIGURATION.md, or checks it with --check=FILE\n");
    return 2;
  }
  std::ifstream file(argv[1] + 8);
  const std::string committed(std::istreambuf_iterator<char>(file), {});
  if (committed == document) return 0;
  std::fprintf(stderr, "config_doc: %s is stale. Run: make docs\n", argv[1] + 8);
  return 1;
}
