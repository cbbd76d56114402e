#include "libs/config/internal/option_text.h"

#include "absl/strings/str_join.h"
#include "libs/base/str_cat.h"

namespace config::internal {
namespace {

// Double-quoted YAML: takes any text.
std::string QuotedYaml(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (byte < 0x20 || byte == 0x7f) {
      static constexpr char kDigits[] = "0123456789abcdef";
      quoted += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    } else {
      quoted.push_back(c);
    }
  }
  quoted.push_back('"');
  return quoted;
}

std::string ValueYaml(const Option& option) {
  if (option.is_list()) {
    const auto& items = *std::get<std::vector<std::string>*>(option.target);
    return base::StrCat(
        "[",
        absl::StrJoin(items, ", ", [](std::string* out, const std::string& item) { out->append(QuotedYaml(item)); }),
        "]");
  }
  const bool is_text = std::holds_alternative<std::string*>(option.target);
  return is_text ? QuotedYaml(ValueText(option)) : ValueText(option);
}

// What stands after the "=" in the usage of an option.
std::string Placeholder(const Option& option) {
  if (!option.spec.choices.empty()) return absl::StrJoin(option.spec.choices, "|");
  if (!option.spec.unit.empty()) return option.spec.unit;
  if (option.is_list()) return "A,B,...";
  return std::holds_alternative<std::string*>(option.target) ? "TEXT" : "N";
}

void AppendHelp(std::string& text, std::string_view left, std::string_view doc) {
  text += base::StrCat("  ", left, "\n      ", doc, "\n");
}

// A cell of a Markdown table: a bar would end it, a line break the row.
std::string Cell(std::string_view text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|') cell.push_back('\\');
    cell.push_back(c == '\n' ? ' ' : c);
  }
  return cell;
}
std::string CodeCell(std::string_view text) { return text.empty() ? "" : base::StrCat("`", Cell(text), "`"); }

}  // namespace

std::string SectionOf(const Table& table) {
  return YamlKeyOf(std::string_view(table.program).substr(0, table.program.find(' ')));
}

std::string HelpText(const Table& table) {
  std::string text = base::StrCat(table.program, ": ", table.summary, "\n\nUsage: ", table.program, " [options]");
  if (table.positionals != nullptr) {
    text += base::StrCat(" ", table.positionals_name, "\n\n");
    AppendHelp(text, table.positionals_name, table.positionals_doc);
  } else {
    text += "\n";
  }
  text += "\nOptions (flag, then environment, then YAML file, then default):\n";
  for (const Option& option : table.options) {
    const std::string left = option.is_flag() ? base::StrCat("--[no-]", option.name)
                                              : base::StrCat("--", option.name, "=", Placeholder(option));
    std::string doc =
        base::StrCat(option.spec.doc, " Default: ", option.default_text.empty() ? "empty" : option.default_text, ".");
    if (option.spec.min != 0 || option.spec.max != 0) {
      doc += base::StrCat(" Allowed: ", AllowedText(option.spec, option.target), ".");
    }
    doc += base::StrCat(" [", EnvironmentOf(option.name), "]");
    AppendHelp(text, left, doc);
  }
  AppendHelp(text, "--config=FILE",
             base::StrCat("YAML file with options under `", SectionOf(table), ":` and `common:`. [MESH_CONFIG]"));
  AppendHelp(text, "--print-config", "Print the options as they would be used, and from where each comes, as YAML.");
  AppendHelp(text, "--version", "Print the version and the commit.");
  AppendHelp(text, "--help, -h", "Print this text.");
  if (!table.examples.empty()) text += "\nExamples:\n";
  for (const auto& [command_line, what_it_does] : table.examples) AppendHelp(text, command_line, what_it_does);
  return text;
}

std::string EffectiveYaml(const Table& table) {
  std::string text = base::StrCat(SectionOf(table), ":\n");
  for (const Option& option : table.options) {
    text += base::StrCat("  ", YamlKeyOf(option.name), ": ", ValueYaml(option), "  # ", option.source, "\n");
  }
  return text;
}

std::string MarkdownText(const Table& table) {
  std::string text = base::StrCat("## ", table.program, "\n\n", table.summary, "\n\n");
  if (table.positionals != nullptr) {
    text += base::StrCat("Arguments: `", table.positionals_name, "`: ", table.positionals_doc, "\n\n");
  }
  if (table.options.empty()) return text;
  text += "| Flag | Environment | YAML key | Default | Allowed | What it does |\n|---|---|---|---|---|---|\n";
  for (const Option& option : table.options) {
    text += base::StrCat("| `--", option.name, "` | `", EnvironmentOf(option.name), "` | `", SectionOf(table), ".",
                         YamlKeyOf(option.name), "` | ", CodeCell(option.default_text), " | ",
                         Cell(AllowedText(option.spec, option.target)), " | ", Cell(option.spec.doc), " |\n");
  }
  text += "\n";
  return text;
}

}  // namespace config::internal
