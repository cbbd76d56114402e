#include "libs/config/option_table.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "absl/strings/str_join.h"
#include "libs/base/check.h"
#include "libs/base/str_cat.h"
#include "libs/config/internal/option.h"
#include "libs/config/internal/option_text.h"
#include "libs/config/nearest_name.h"
#include "libs/config/version.h"
#include "libs/config/yaml.h"

namespace config {
namespace {

using internal::Option;
using internal::Table;

constexpr std::string_view kCommonSection = "common";
constexpr std::array<std::string_view, 4> kReserved = {"config", "help", "print-config", "version"};
// Sections of the file that the services share. A section with another name is a misspelling.
constexpr std::array<const char*, 8> kSections = {"common",  "exporter", "fake_channel_api", "gateway",
                                                  "meshctl", "sender",   "session",          "worker"};

bool IsKebab(std::string_view name) {
  return !name.empty() && name.front() >= 'a' && name.front() <= 'z' && name.back() != '-' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos &&
         !(name.find("--") != std::string_view::npos) && !name.starts_with("no-");
}

// One call of Parse: collects values from all sources, lowest first, and all mistakes.
class Parser {
 public:
  explicit Parser(Table& table) : table_(table) {}

  OptionTable::ParseResult Run(std::span<const char* const> arguments);

 private:
  struct FlagValue {
    Option* option;
    std::string value;
    std::string shown;  // as the user wrote it
  };

  void ReadFlags(std::span<const char* const> arguments);
  void ReadFlag(std::string_view argument, std::span<const char* const>& rest);
  bool ReadBuiltIn(std::string_view name, std::optional<std::string_view> value, std::span<const char* const>& rest);
  void ApplyYamlFile(const std::string& path);
  void ApplySection(const YamlNode& section, const std::string& path, bool is_shared);
  void ApplyNode(Option& option, const YamlNode& node, const std::string& where);
  void ApplyEnvironment();
  void ApplyFlags();

  Option* Find(std::string_view name);
  void Mistake(std::string text) { mistakes_.push_back(std::move(text)); }
  std::string Suggestion(std::string_view name, std::string_view prefix, bool is_yaml) const;

  Table& table_;
  std::vector<FlagValue> flags_;
  std::vector<std::string> positionals_;
  std::vector<std::string> mistakes_;
  std::string config_path_;
  bool wants_help_ = false;
  bool wants_version_ = false;
  bool wants_config_ = false;
};

OptionTable::ParseResult Parser::Run(std::span<const char* const> arguments) {
  if (const char* const path = std::getenv("MESH_CONFIG"); path != nullptr) config_path_ = path;
  ReadFlags(arguments);
  // Help and version answer even when other flags are wrong: that is when people ask for them.
  if (wants_help_) {
    std::fputs(internal::HelpText(table_).c_str(), stdout);
    return {absl::OkStatus(), OptionTable::Outcome::kExit};
  }
  if (wants_version_) {
    std::fputs(base::StrCat("musemesh ", table_.program, " ", Version(), " (", Commit(), ")\n").c_str(), stdout);
    return {absl::OkStatus(), OptionTable::Outcome::kExit};
  }
  if (!config_path_.empty()) ApplyYamlFile(config_path_);
  ApplyEnvironment();
  ApplyFlags();
  if (!mistakes_.empty()) {
    return {absl::InvalidArgumentError(absl::StrJoin(mistakes_, "\n")), OptionTable::Outcome::kExit};
  }
  if (table_.positionals != nullptr) *table_.positionals = std::move(positionals_);
  if (wants_config_) {
    std::fputs(internal::EffectiveYaml(table_).c_str(), stdout);
    return {absl::OkStatus(), OptionTable::Outcome::kExit};
  }
  return {absl::OkStatus(), OptionTable::Outcome::kRun};
}

void Parser::ReadFlags(std::span<const char* const> arguments) {
  bool flags_ended = false;
  while (!arguments.empty()) {
    const std::string_view argument = arguments.front();
    arguments = arguments.subspan(1);
    if (!flags_ended && argument == "--") {
      flags_ended = true;
    } else if (!flags_ended && argument == "-h") {
      wants_help_ = true;
    } else if (!flags_ended && argument.size() > 1 && argument.front() == '-') {
      ReadFlag(argument, arguments);
    } else if (table_.positionals != nullptr) {
      positionals_.emplace_back(argument);
    } else {
      Mistake(base::StrCat("unexpected argument ", argument, "; flags begin with --"));
    }
  }
}

// The value of a flag: after its "=", or else the next argument, unless that is a flag itself.
std::optional<std::string_view> TakeValue(std::optional<std::string_view> value, std::span<const char* const>& rest) {
  if (value || rest.empty() || std::string_view(rest.front()).starts_with("--")) return value;
  value = rest.front();
  rest = rest.subspan(1);
  return value;
}

void Parser::ReadFlag(std::string_view argument, std::span<const char* const>& rest) {
  const std::size_t equals = argument.find('=');
  std::optional<std::string_view> value;
  if (equals != std::string_view::npos) value = argument.substr(equals + 1);
  const std::string_view spelled = argument.substr(0, equals);
  const std::string_view name = spelled.starts_with("--") ? spelled.substr(2) : std::string_view();
  if (ReadBuiltIn(name, value, rest)) return;

  const bool is_negated = name.starts_with("no-");
  Option* const option = Find(is_negated ? name.substr(3) : name);
  if (option == nullptr || (is_negated && !option->is_flag())) {
    Mistake(base::StrCat("unknown flag ", spelled, Suggestion(name.empty() ? spelled : name, "--", /*is_yaml=*/false)));
    TakeValue(value, rest);  // most likely its value, which alone would be one mistake more
  } else if (is_negated) {
    if (value) Mistake(base::StrCat(spelled, " takes no value"));
    flags_.push_back({option, "false", std::string(argument)});
  } else if (option->is_flag()) {
    flags_.push_back({option, std::string(value.value_or("true")), std::string(argument)});
  } else if (value = TakeValue(value, rest); value) {
    flags_.push_back({option, std::string(*value), base::StrCat(spelled, "=", *value)});
  } else {
    Mistake(base::StrCat(spelled, " needs a value: ", internal::AllowedText(option->spec, option->target)));
  }
}

bool Parser::ReadBuiltIn(std::string_view name, std::optional<std::string_view> value,
                         std::span<const char* const>& rest) {
  if (name == "config") {
    value = TakeValue(value, rest);
    if (value && !value->empty()) {
      config_path_ = std::string(*value);
    } else {
      Mistake("--config needs a value: the path of a YAML file");
    }
    return true;
  }
  bool* const wanted = name == "help"           ? &wants_help_
                       : name == "version"      ? &wants_version_
                       : name == "print-config" ? &wants_config_
                                                : nullptr;
  if (wanted == nullptr) return false;
  *wanted = true;
  if (value) Mistake(base::StrCat("--", name, " takes no value"));
  return true;
}

void Parser::ApplyYamlFile(const std::string& path) {
  const absl::StatusOr<YamlNode> file = ParseYamlFile(path);
  if (!file.ok()) {
    Mistake(base::StrCat(file.status().message(), " (--config or MESH_CONFIG)"));
    return;
  }
  if (file->kind == YamlNode::Kind::kNull) return;
  if (file->kind != YamlNode::Kind::kMap) {
    Mistake(base::StrCat(path, ": must be a map of sections: ", absl::StrJoin(kSections, ", ")));
    return;
  }
  const std::string own = internal::SectionOf(table_);
  std::vector<std::string> sections(kSections.begin(), kSections.end());
  sections.push_back(own);
  for (const auto& [name, section] : file->fields) {
    if (std::find(sections.begin(), sections.end(), name) == sections.end()) {
      const std::string_view nearest = NearestName(name, sections);
      Mistake(base::StrCat(path, ":", section.line, ": unknown section ", name,
                           nearest.empty() ? "" : base::StrCat("; did you mean ", nearest, "?")));
    }
  }
  // A sub-command's section is that of its program, whose other sub-commands have other options.
  const bool is_own_shared = (table_.program.find(' ') != std::string_view::npos);
  if (const YamlNode* const common = file->Find(kCommonSection)) ApplySection(*common, path, /*is_shared=*/true);
  if (const YamlNode* const section = file->Find(own)) ApplySection(*section, path, is_own_shared);
}

void Parser::ApplySection(const YamlNode& section, const std::string& path, bool is_shared) {
  if (section.kind == YamlNode::Kind::kNull) return;
  if (section.kind != YamlNode::Kind::kMap) {
    Mistake(base::StrCat(path, ":", section.line, ": a section must be a map of options"));
    return;
  }
  for (const auto& [key, node] : section.fields) {
    const auto option = std::find_if(table_.options.begin(), table_.options.end(),
                                     [&](const Option& o) { return internal::YamlKeyOf(o.name) == key; });
    const std::string where = base::StrCat(path, ":", node.line);
    if (option != table_.options.end()) {
      ApplyNode(*option, node, where);
      continue;
    }
    const std::string suggestion = Suggestion(key, "", /*is_yaml=*/true);
    if (is_shared && !(suggestion.find("did you mean") != std::string_view::npos)) continue;
    Mistake(base::StrCat(where, ": unknown key ", key, suggestion,
                         is_shared ? " If it is meant for another service, put it into that service's section." : ""));
  }
}

void Parser::ApplyNode(Option& option, const YamlNode& node, const std::string& where) {
  absl::Status status;
  std::string shown = node.scalar;
  if (node.kind == YamlNode::Kind::kScalar) {
    status = internal::SetFromText(option, node.scalar);
  } else if (node.kind == YamlNode::Kind::kNull &&
             (option.is_list() || std::holds_alternative<std::string*>(option.target))) {
    status = internal::SetFromText(option, "");
  } else if (node.kind == YamlNode::Kind::kList && option.is_list()) {
    std::vector<std::string> items;
    for (const YamlNode& item : node.items) {
      if (item.kind != YamlNode::Kind::kScalar) status = absl::InvalidArgumentError("must be a list of scalars");
      items.push_back(item.scalar);
    }
    shown = absl::StrJoin(items, ",");
    if (status.ok()) status = internal::SetFromItems(option, std::move(items));
  } else {
    status = absl::InvalidArgumentError(base::StrCat("must be ", option.is_list() ? "a list or " : "",
                                                     "one value: ", internal::AllowedText(option.spec, option.target)));
  }
  if (status.ok()) {
    option.source = where;
  } else {
    Mistake(base::StrCat(where, ": ", internal::YamlKeyOf(option.name), ": \"", shown, "\" ", status.message()));
  }
}

void Parser::ApplyEnvironment() {
  for (Option& option : table_.options) {
    const std::string variable = internal::EnvironmentOf(option.name);
    const char* const value = std::getenv(variable.c_str());
    if (value == nullptr) continue;
    const absl::Status status = internal::SetFromText(option, value);
    if (status.ok()) {
      option.source = variable;
    } else {
      Mistake(base::StrCat("environment ", variable, "=\"", value, "\" ", status.message()));
    }
  }
}

void Parser::ApplyFlags() {
  for (const FlagValue& flag : flags_) {
    const absl::Status status = internal::SetFromText(*flag.option, flag.value);
    if (status.ok()) {
      flag.option->source = base::StrCat("flag --", flag.option->name);
    } else {
      Mistake(base::StrCat("flag ", flag.shown, ": ", status.message()));
    }
  }
}

Option* Parser::Find(std::string_view name) {
  for (Option& option : table_.options) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

std::string Parser::Suggestion(std::string_view name, std::string_view prefix, bool is_yaml) const {
  std::vector<std::string> names;
  for (const Option& option : table_.options) names.push_back(is_yaml ? internal::YamlKeyOf(option.name) : option.name);
  if (!is_yaml) names.insert(names.end(), kReserved.begin(), kReserved.end());
  const std::string_view nearest = NearestName(name, names);
  if (nearest.empty()) return "; --help lists all.";
  return base::StrCat("; did you mean ", prefix, nearest, "?");
}

}  // namespace

struct OptionTable::Rep {
  Table table;

  void AddOption(std::string name, internal::OptionTarget target, OptionSpec spec) {
    CHECK_MSG(IsKebab(name), name);
    CHECK_MSG(std::find(kReserved.begin(), kReserved.end(), name) == kReserved.end(), name);
    CHECK_MSG(!spec.doc.empty(), name);
    CHECK_MSG(spec.min <= spec.max, name);
    for (const Option& other : table.options) CHECK_MSG(other.name != name, name);
    Option option{std::move(name), target, std::move(spec), "", "default"};
    if (option.spec.doc.back() != '.') option.spec.doc.push_back('.');
    option.default_text = internal::ValueText(option);
    CHECK_MSG(internal::SetFromText(option, option.default_text).ok(), option.name);
    table.options.push_back(std::move(option));
  }
};

OptionTable::OptionTable(std::string program, std::string summary) : rep_(std::make_unique<Rep>()) {
  CHECK(!program.empty() && !summary.empty());
  rep_->table.program = std::move(program);
  rep_->table.summary = std::move(summary);
}
OptionTable::~OptionTable() = default;

void OptionTable::Add(std::string name, std::string* target, OptionSpec spec) {
  rep_->AddOption(std::move(name), target, std::move(spec));
}
void OptionTable::Add(std::string name, std::int64_t* target, OptionSpec spec) {
  rep_->AddOption(std::move(name), target, std::move(spec));
}
void OptionTable::Add(std::string name, std::int32_t* target, OptionSpec spec) {
  rep_->AddOption(std::move(name), target, std::move(spec));
}
void OptionTable::Add(std::string name, double* target, OptionSpec spec) {
  rep_->AddOption(std::move(name), target, std::move(spec));
}
void OptionTable::Add(std::string name, bool* target, OptionSpec spec) {
  rep_->AddOption(std::move(name), target, std::move(spec));
}
void OptionTable::Add(std::string name, std::vector<std::string>* target, OptionSpec spec) {
  rep_->AddOption(std::move(name), target, std::move(spec));
}

void OptionTable::AllowPositionals(std::vector<std::string>* target, std::string name, std::string doc) {
  rep_->table.positionals = target;
  rep_->table.positionals_name = std::move(name);
  rep_->table.positionals_doc = std::move(doc);
}

void OptionTable::AddExample(std::string command_line, std::string what_it_does) {
  rep_->table.examples.emplace_back(std::move(command_line), std::move(what_it_does));
}

OptionTable::ParseResult OptionTable::Parse(int argc, const char* const* argv) {
  const std::span<const char* const> arguments(argv, static_cast<std::size_t>(argc));
  return Parser(rep_->table).Run(arguments.empty() ? arguments : arguments.subspan(1));
}

std::string OptionTable::ToMarkdown() const { return internal::MarkdownText(rep_->table); }

}  // namespace config
