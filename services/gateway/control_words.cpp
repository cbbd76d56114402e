#include "services/gateway/control_words.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "libs/unicode/plain_words.h"

namespace gateway {
namespace {

// A configured word has 64 bytes at most. What is longer than a few of them is not looked at: most messages cost
// nothing.
constexpr std::size_t kTextBytesMax = 256;

}  // namespace

mesh::bus::v1::ControlAction ControlAskedFor(const channel::Event& event, const account::Account& account) {
  const bool is_said = event.kind == channel::EventKind::kMessage || event.kind == channel::EventKind::kPostback;
  const std::string& text = event.own_words ? *event.own_words : event.text;
  if (!is_said || !event.attachments.empty() || text.empty() || text.size() > kTextBytesMax) {
    return mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED;
  }
  const std::string said = unicode::PlainWords(text);
  const auto is_among = [&said](const std::vector<std::string>& words) {
    return std::find(words.begin(), words.end(), said) != words.end();
  };
  if (is_among(account.opt_out_words)) return mesh::bus::v1::CONTROL_ACTION_OPT_OUT;
  if (is_among(account.opt_in_words)) return mesh::bus::v1::CONTROL_ACTION_OPT_IN;
  if (is_among(account.handoff_words)) return mesh::bus::v1::CONTROL_ACTION_PAUSE;
  if (is_among(account.return_words)) return mesh::bus::v1::CONTROL_ACTION_RESUME;
  return mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED;
}

}  // namespace gateway
