#include "services/worker/rich_answer.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <utility>

#include "absl/status/statusor.h"
#include "libs/channel/link.h"
#include "libs/http/url.h"
#include "libs/unicode/category.h"
#include "libs/unicode/grapheme.h"
#include "libs/unicode/utf8.h"

namespace worker {
namespace {

using mesh::bus::v1::OutboundChoices;
using mesh::bus::v1::OutboundMedia;
using mesh::bus::v1::OutboundPart;

constexpr std::string_view kFence = "```";
// So that the file or question takes one send of its own and hardly more: what is longer stays text, which is cut to
// what may be said.
constexpr std::size_t kLinkBytesMax = 900;  // as text on Instagram it must not be cut
constexpr std::size_t kCaptionBytesMax = 1000;
constexpr std::size_t kQuestionBytesMax = 1000;
constexpr std::size_t kTitleBytesMax = 200;
constexpr std::size_t kEmojiBytesMax = 64;

struct FileKind {
  std::string_view extension;
  std::string_view type;
};
constexpr FileKind kFileKinds[] = {
    {"jpg", "image"},     {"jpeg", "image"},    {"png", "image"},    {"mp3", "audio"},     {"m4a", "audio"},
    {"aac", "audio"},     {"ogg", "audio"},     {"mp4", "video"},    {"3gp", "video"},     {"pdf", "document"},
    {"doc", "document"},  {"docx", "document"}, {"xls", "document"}, {"xlsx", "document"}, {"ppt", "document"},
    {"pptx", "document"}, {"csv", "document"},  {"txt", "document"},
};

std::string_view Trimmed(std::string_view line) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = line.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return line.substr(begin, line.find_last_not_of(kSpace) + 1 - begin);
}

// Each with its newline, so that together they are the text.
std::vector<std::string_view> LinesOf(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end == std::string_view::npos ? text.size() : end + 1));
    text.remove_prefix(lines.back().size());
  }
  return lines;
}

std::optional<OutboundMedia> ReadFile(std::string_view line, const account::Account& account) {
  line = Trimmed(line);
  const std::size_t middle = line.find("](");
  if (!line.starts_with("![") || !line.ends_with(")") || middle == std::string_view::npos) return std::nullopt;
  const std::string_view caption = line.substr(2, middle - 2);
  const std::string_view link = line.substr(middle + 2, line.size() - middle - 3);
  if (caption.find_first_of("[]") != std::string_view::npos || caption.size() > kCaptionBytesMax) return std::nullopt;
  if (!link.starts_with("https://") || link.size() > kLinkBytesMax) return std::nullopt;
  const bool is_plain = std::ranges::all_of(link, [](char c) {
    return c > 0x20 && c < 0x7F && std::string_view("()<>\"'\\#@").find(c) == std::string_view::npos;
  });
  if (!is_plain) return std::nullopt;
  const absl::StatusOr<http::Url> url = http::ParseUrl(link);
  if (!url.ok() || url->port != 443 ||
      std::ranges::find(account.rich_link_hosts, url->host) == account.rich_link_hosts.end()) {
    return std::nullopt;
  }
  const std::string_view path = std::string_view(url->target).substr(0, url->target.find('?'));
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const auto* const kind = std::ranges::find(kFileKinds, channel::ExtensionOf(url->target), &FileKind::extension);
  if (kind == std::end(kFileKinds)) return std::nullopt;

  OutboundMedia media;
  media.set_type(std::string(kind->type));
  media.set_link(std::string(link));
  media.set_caption(std::string(Trimmed(caption)));
  if (kind->type == "document") media.set_file_name(std::string(name));
  return media;
}

std::optional<OutboundChoices> ReadChoices(const std::vector<std::string_view>& block) {
  OutboundChoices choices;
  std::set<std::string_view> titles;
  for (std::string_view line : block) {
    line = Trimmed(line);
    if (line.empty()) continue;
    const bool is_choice = line.starts_with("- ");
    if (!is_choice && (choices.choices_size() > 0 || !choices.text().empty())) return std::nullopt;
    if (!is_choice) {
      if (line.size() > kQuestionBytesMax) return std::nullopt;
      choices.set_text(std::string(line));
      continue;
    }
    const std::string_view title = Trimmed(line.substr(2));
    if (choices.text().empty() || title.size() > kTitleBytesMax || !titles.insert(title).second) return std::nullopt;
    auto& choice = *choices.add_choices();
    choice.set_id(std::to_string(choices.choices_size()));
    choice.set_title(std::string(title));
  }
  if (choices.choices_size() == 0 || choices.choices_size() > kChoicesMax) return std::nullopt;
  return choices;
}

// One picture, not a letter.
std::optional<std::string> ReadEmoji(const std::vector<std::string_view>& block) {
  std::string_view emoji;
  for (const std::string_view line : block) {
    if (Trimmed(line).empty()) continue;
    if (!emoji.empty()) return std::nullopt;
    emoji = Trimmed(line);
  }
  if (emoji.empty() || emoji.size() > kEmojiBytesMax || !unicode::IsValidUtf8(emoji)) return std::nullopt;
  const bool is_picture = unicode::IsPictograph(unicode::DecodeUtf8(emoji, 0).code_point);
  if (!is_picture || unicode::NextGrapheme(emoji, 0) != emoji.size()) return std::nullopt;
  return std::string(emoji);
}

// Reads line by line; what is taken leaves no line behind.
class Reader {
 public:
  Reader(std::string_view text, const account::Account& account, std::string_view message_id)
      : lines_(LinesOf(text)), account_(account), message_id_(message_id) {}

  RichAnswer Read() {
    while (at_ < lines_.size()) {
      if (Trimmed(lines_[at_]).starts_with(kFence)) {
        TakeBlock();
      } else if (StandsAlone(at_) && TakeFile()) {
        ++at_;
      } else {
        answer_.words += lines_[at_++];
      }
    }
    if (choices_) *answer_.parts.emplace_back().mutable_choices() = *std::move(choices_);
    return std::move(answer_);
  }

 private:
  // Blank lines, fences or the text's ends around it. `in_block_` is never true here.
  bool StandsAlone(std::size_t line) const {
    const auto ends = [&](std::size_t other) {
      const std::string_view text = Trimmed(lines_[other]);
      return text.empty() || text.starts_with(kFence);
    };
    return (line == 0 || ends(line - 1)) && (line + 1 == lines_.size() || ends(line + 1));
  }

  bool TakeFile() {
    if (files_ == kFilesMax) return false;
    std::optional<OutboundMedia> media = ReadFile(lines_[at_], account_);
    if (!media) return false;
    ++files_;
    *answer_.parts.emplace_back().mutable_media() = *std::move(media);
    return true;
  }

  // Of any language; one that does not end is text to the end.
  void TakeBlock() {
    std::size_t end = at_ + 1;
    while (end < lines_.size() && Trimmed(lines_[end]) != kFence) ++end;
    const bool is_closed = end < lines_.size();
    const std::string_view language = Trimmed(lines_[at_]).substr(kFence.size());
    if (is_closed && TakeContent(language, {lines_.begin() + static_cast<std::ptrdiff_t>(at_) + 1,
                                            lines_.begin() + static_cast<std::ptrdiff_t>(end)})) {
      at_ = end + 1;
      return;
    }
    const std::size_t next = std::min(end + 1, lines_.size());
    while (at_ < next) answer_.words += lines_[at_++];
  }

  bool TakeContent(std::string_view language, const std::vector<std::string_view>& block) {
    if (language == "choices" && !choices_) {
      choices_ = ReadChoices(block);
      return choices_.has_value();
    }
    if (language != "react" || has_reaction_) return false;
    const std::optional<std::string> emoji = ReadEmoji(block);
    if (!emoji) return false;
    has_reaction_ = true;
    auto& reaction = *answer_.parts.emplace_back().mutable_reaction();
    reaction.set_message_id(std::string(message_id_));
    reaction.set_emoji(*emoji);
    return true;
  }

  const std::vector<std::string_view> lines_;
  const account::Account& account_;
  const std::string_view message_id_;
  std::size_t at_ = 0;
  RichAnswer answer_;
  std::optional<OutboundChoices> choices_;  // said last, so that the buttons stand under everything
  int files_ = 0;
  bool has_reaction_ = false;
};

}  // namespace

RichAnswer ParseRichAnswer(std::string_view text, const account::Account& account, std::string_view message_id) {
  RichAnswer answer = Reader(text, account, message_id).Read();
  if (Trimmed(answer.words).empty() && !answer.parts.empty()) answer.words.clear();
  return answer;
}

void TakeRichParts(const account::Account& account, std::string_view message_id, mesh::bus::v1::Reply& reply) {
  if (!account.rich_answers) return;
  RichAnswer answer = ParseRichAnswer(reply.text(), account, message_id);
  if (answer.parts.empty()) return;
  reply.set_history_text(std::move(*reply.mutable_text()));
  reply.set_text(std::move(answer.words));
  for (OutboundPart& part : answer.parts) *reply.add_rich_parts() = std::move(part);
}

}  // namespace worker
