#include "libs/channel/internal/fit_part.h"

#include <algorithm>
#include <set>
#include <utility>

#include "libs/base/str_cat.h"
#include "libs/unicode/utf8.h"

namespace channel {
namespace {

using mesh::bus::v1::OutboundChoices;
using mesh::bus::v1::OutboundMedia;

void AddTexts(std::vector<std::string> texts, Parts& parts) {
  for (std::string& text : texts) parts.emplace_back().set_text(std::move(text));
}

bool HaveOwnIds(const OutboundChoices& choices, std::size_t id_bytes_max) {
  std::set<std::string_view> ids;
  return std::ranges::all_of(choices.choices(), [&](const OutboundChoices::Choice& choice) {
    return !choice.id().empty() && choice.id().size() <= id_bytes_max && unicode::IsValidUtf8(choice.id()) &&
           ids.insert(choice.id()).second;
  });
}

bool HaveDistinctTitles(const OutboundChoices& choices) {
  std::set<std::string_view> titles;
  return std::ranges::all_of(choices.choices(), [&](const OutboundChoices::Choice& choice) {
    return !choice.title().empty() && titles.insert(choice.title()).second;
  });
}

}  // namespace

std::string OneLine(std::string_view text) {
  std::string line = FormatInline(unicode::SanitizeUtf8(text), Markup::kPlain);
  std::ranges::replace_if(
      line, [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
  const std::size_t begin = line.find_first_not_of(' ');
  if (begin == std::string::npos) return "";
  return line.substr(begin, line.find_last_not_of(' ') + 1 - begin);
}

void AddText(std::string_view markdown, Markup markup, TextLimit limit, Parts& parts) {
  AddTexts(SplitText(FormatMarkdown(markdown, markup), limit), parts);
}

void AddMediaBehindCaption(OutboundMedia media, Markup markup, TextLimit limit, Parts& parts) {
  AddText(media.caption(), markup, limit, parts);
  media.clear_caption();
  *parts.emplace_back().mutable_media() = std::move(media);
}

void AddMediaAsText(const OutboundMedia& media, Markup markup, TextLimit limit, Parts& parts) {
  // The address is no Markdown: an underscore in it is one.
  std::string text = FormatMarkdown(media.caption(), markup);
  if (!text.empty() && !media.link().empty()) text += '\n';
  AddTexts(SplitText(text + media.link(), limit), parts);
}

void AddChoicesAsText(const OutboundChoices& choices, Markup markup, TextLimit limit, Parts& parts) {
  std::string text = FormatMarkdown(choices.text(), markup);
  if (!text.empty() && choices.choices_size() > 0) text += '\n';
  int number = 0;
  for (const OutboundChoices::Choice& choice : choices.choices()) {
    text += base::StrCat("\n", ++number, ". ", OneLine(choice.title()));
    if (!choice.description().empty()) text += base::StrCat(": ", OneLine(choice.description()));
  }
  AddTexts(SplitText(text, limit), parts);
}

std::optional<OutboundChoices> FitChoices(const OutboundChoices& choices, Markup markup, const ChoiceLimits& limits,
                                          Parts& parts) {
  const int count = choices.choices_size();
  if (count == 0 || static_cast<std::size_t>(count) > limits.choices_max) return std::nullopt;
  std::vector<std::string> question = SplitText(FormatMarkdown(choices.text(), markup), limits.question);
  if (question.empty()) return std::nullopt;

  OutboundChoices fitted;
  const bool own_ids = HaveOwnIds(choices, limits.id_bytes_max);
  for (int index = 0; index < count; ++index) {
    const OutboundChoices::Choice& choice = choices.choices(index);
    OutboundChoices::Choice& added = *fitted.add_choices();
    const std::string title = OneLine(choice.title());
    added.set_id(own_ids ? choice.id() : std::to_string(index + 1));
    added.set_title(CutText(title, {LengthUnit::kCodePoints, limits.title_max}));
    const bool is_cut = added.title() != title;
    std::string description = OneLine(choice.description());
    if (is_cut && (!description.empty() || unicode::CodePointCount(title) > limits.description_max)) {
      return std::nullopt;
    }
    if (limits.description_max == 0) continue;
    if (is_cut) description = title;
    added.set_description(CutText(description, {LengthUnit::kCodePoints, limits.description_max}));
  }
  if (!HaveDistinctTitles(fitted)) return std::nullopt;
  fitted.set_text(std::move(question.back()));
  question.pop_back();
  AddTexts(std::move(question), parts);
  return fitted;
}

}  // namespace channel
