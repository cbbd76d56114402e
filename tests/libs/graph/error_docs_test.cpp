#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "libs/channel/internal/graph_error_table.h"

// docs/meta-app.md tells an operator what each error of the Graph API means: every code that the codecs know must stand
// there, beside what is really done about it.
namespace graph {
namespace {

constexpr std::int32_t kCodeMax = 200'000;  // beyond every code of Meta's that is known

struct DocumentedCode {
  std::int32_t first = 0, last = 0;
  std::string action;  // the third column
  std::int32_t width() const { return last - first; }
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// "190, 0, 458 to 467; 10 with subcode 2018278": numbers, ranges, and subcodes, which are none.
void ReadCodes(std::string_view cell, const std::string& action, std::vector<DocumentedCode>& codes) {
  bool is_subcode = false, ends_range = false;
  for (std::size_t at = 0; at < cell.size();) {
    if (cell[at] == ';') is_subcode = false;
    if (cell.substr(at).starts_with("subcode")) is_subcode = true;
    if (cell.substr(at).starts_with(" to ")) ends_range = true;
    if (!IsDigit(cell[at])) {
      ++at;
      continue;
    }
    std::int32_t code = 0;
    const char* const end = std::from_chars(cell.data() + at, cell.data() + cell.size(), code).ptr;
    at = static_cast<std::size_t>(end - cell.data());
    if (is_subcode) continue;
    if (ends_range && !codes.empty()) {
      codes.back().last = code;
    } else {
      codes.push_back({code, code, action});
    }
    ends_range = false;
  }
}

std::vector<DocumentedCode> CodesOfDocs() {
  std::ifstream file("docs/meta-app.md");
  std::vector<DocumentedCode> codes;
  bool is_table = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("| code | what it means | what musemesh does |")) {
      is_table = true;
    } else if (is_table && !line.starts_with('|')) {
      break;
    } else if (is_table && !line.starts_with("|---")) {
      std::vector<std::string> cells;
      for (std::size_t begin = 1; begin < line.size();) {
        const std::size_t end = std::min(line.find('|', begin), line.size());
        cells.push_back(line.substr(begin, end - begin));
        begin = end + 1;
      }
      EXPECT_EQ(cells.size(), 4u) << line;
      if (cells.size() == 4) ReadCodes(cells[0], cells[2], codes);
    }
  }
  return codes;
}

std::string_view WordFor(channel::SendVerdict verdict) {
  switch (verdict) {
    case channel::SendVerdict::kPark:
      return " parked";
    case channel::SendVerdict::kRetry:
      return " again";
    case channel::SendVerdict::kFail:
      return " dead letter";
    default:
      return "no code of the table has another verdict";
  }
}

TEST(ErrorDocsTest, EveryCodeOfTheTableStandsInTheDocsWithWhatIsDone) {
  const std::vector<DocumentedCode> codes = CodesOfDocs();
  ASSERT_GT(codes.size(), 40u) << "the table of errors is gone";
  for (std::int32_t code = 0; code < kCodeMax; ++code) {
    const auto rule = channel::FindGraphErrorRule(code);
    if (!rule) continue;
    std::int32_t narrowest = std::numeric_limits<std::int32_t>::max();
    for (const DocumentedCode& documented : codes) {
      if (code >= documented.first && code <= documented.last) narrowest = std::min(narrowest, documented.width());
    }
    EXPECT_NE(narrowest, std::numeric_limits<std::int32_t>::max()) << "docs/meta-app.md does not name " << code;
    for (const DocumentedCode& documented : codes) {
      if (code < documented.first || code > documented.last || documented.width() != narrowest) continue;
      EXPECT_TRUE(documented.action.starts_with(WordFor(rule->verdict)))
          << "docs/meta-app.md says of " << code << ":" << documented.action;
    }
  }
}

TEST(ErrorDocsTest, TheDocsNameNoCodeThatTheTableDoesNotKnow) {
  for (const DocumentedCode& documented : CodesOfDocs()) {
    EXPECT_LE(documented.first, documented.last);
    for (const std::int32_t code : {documented.first, documented.last}) {
      EXPECT_TRUE(channel::FindGraphErrorRule(code)) << code;
    }
  }
}

}  // namespace
}  // namespace graph
