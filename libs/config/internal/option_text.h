#pragma once

#include <string>
#include <utility>
#include <vector>

#include "libs/config/internal/option.h"

namespace config::internal {

// All that an option table knows about a program.
struct Table {
  std::string program;
  std::string summary;
  std::vector<Option> options;                                // in the order of registration
  std::vector<std::pair<std::string, std::string>> examples;  // command line, what it does
  std::vector<std::string>* positionals = nullptr;
  std::string positionals_name;
  std::string positionals_doc;
};

std::string SectionOf(const Table& table);      // the table's key in the YAML file
std::string HelpText(const Table& table);       // --help
std::string EffectiveYaml(const Table& table);  // --print-config: a YAML file that gives the present values
std::string MarkdownText(const Table& table);   // a section of docs/CONFIGURATION.md; ends with an empty line

}  // namespace config::internal
