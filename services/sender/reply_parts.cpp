#include "services/sender/reply_parts.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "libs/session/user_text.h"

namespace sender {

std::vector<mesh::bus::v1::OutboundPart> PartsOf(const mesh::bus::v1::Reply& reply, const channel::Codec& codec,
                                                 std::size_t parts_max) {
  std::vector<mesh::bus::v1::OutboundPart> rich;
  for (const mesh::bus::v1::OutboundPart& part : reply.rich_parts()) {
    for (mesh::bus::v1::OutboundPart& fitted : codec.Fit(part)) rich.push_back(std::move(fitted));
  }
  const std::size_t budget = std::min(parts_max, channel::kReplyPartsMax);
  const std::size_t left = budget - std::min(budget, rich.size());
  const std::size_t texts_max = std::clamp<std::size_t>(left, 1, channel::kTextPartsMax);
  std::vector<std::string> texts = codec.Split(reply.text(), texts_max);
  // Of rich parts of which the channel can show nothing: a plan without parts would say that it was withdrawn.
  if (texts.empty() && rich.empty()) texts = codec.Split(session::WrittenText(reply), texts_max);

  std::vector<mesh::bus::v1::OutboundPart> parts;
  for (std::string& text : texts) parts.emplace_back().set_text(std::move(text));
  std::move(rich.begin(), rich.end(), std::back_inserter(parts));
  if (parts.size() > channel::kReplyPartsMax) parts.resize(channel::kReplyPartsMax);
  return parts;
}

}  // namespace sender
