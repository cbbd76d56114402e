#include "services/meshctl/reply_collector.h"

#include <algorithm>
#include <optional>

#include "libs/base/hex.h"
#include "libs/base/str_cat.h"
#include "libs/channel/codec.h"
#include "libs/json/value.h"
#include "libs/telemetry/trace.h"
#include "libs/unicode/utf8.h"

namespace meshctl {
namespace {

constexpr std::uint32_t kGenerationsMax = 4;  // how often an operator may have requeued it
constexpr std::uint32_t kPartsMax = channel::kReplyPartsMax;

std::string TextOf(const json::Value& value) { return std::string(value.AsString().value_or("")); }

// Of what is more than text its JSON too.
std::string WordsOf(const json::Value& send) {
  const std::string text = TextOf(send.Find("text")), kind = TextOf(send.Find("kind"));
  if (kind.empty()) return text;
  return base::StrCat("[", kind, "] ", text, text.empty() ? "" : " ", send.Find("content").Raw());
}

// Half the channel's limit: a part that is followed by another is at least that long, unless an endless word follows.
bool IsTooShortToBeCut(std::string_view part, mesh::bus::v1::Channel channel) {
  switch (channel) {
    case mesh::bus::v1::CHANNEL_WHATSAPP:
      return unicode::CodePointCount(part) < 4096 / 2;
    case mesh::bus::v1::CHANNEL_MESSENGER:
      return unicode::CodePointCount(part) < 2000 / 2;
    default:
      return part.size() < 1000 / 2;
  }
}

}  // namespace

ReplyCollector::ReplyCollector(const mesh::bus::v1::ConversationId& conversation, const identity::TurnId& turn,
                               std::string trace_id)
    : conversation_(conversation), trace_id_(std::move(trace_id)) {
  for (std::uint32_t generation = 0; generation < kGenerationsMax; ++generation) {
    for (const auto kind :
         {mesh::bus::v1::REPLY_KIND_ANSWER, mesh::bus::v1::REPLY_KIND_NOTICE, mesh::bus::v1::REPLY_KIND_FALLBACK}) {
      for (std::uint32_t part = 0; part < kPartsMax; ++part) {
        const identity::ReplyId id = identity::MakeReplyId(turn, generation, kind, part);
        places_[base::ToHex(id.value())] = {{generation, kind}, part};
      }
    }
  }
}

void ReplyCollector::Offer(std::string_view line) {
  const absl::StatusOr<json::Document> document = json::Document::Parse(line);
  if (!document.ok()) return;
  const json::Value send = document->root();
  if (TextOf(send.Find("account")) != conversation_.account() || TextOf(send.Find("user")) != conversation_.user())
    return;
  const std::string reply_id = TextOf(send.Find("reply_id"));
  Place place;
  if (reply_id.empty()) {
    const auto trace = telemetry::TraceContext::Parse(send.Find("traceparent").AsString().value_or(""));
    if (!trace || trace->trace_id != trace_id_) return;
    place.part = static_cast<std::uint32_t>(parts_[place.reply].size());
  } else {
    const auto found = places_.find(reply_id);
    if (found == places_.end()) return;
    place = found->second;
  }
  // A part sent twice (after a crash in doubt) counts once: the first.
  if (!parts_[place.reply].emplace(place.part, WordsOf(send)).second) return;
  last_ts_ms_ = std::max(last_ts_ms_, send.Find("ts_ms").AsInt64().value_or(0));
}

bool ReplyCollector::IsSurelyComplete() const {
  if (parts_.empty()) return false;
  const auto& newest = parts_.rbegin()->second;
  const bool has_no_gap = newest.rbegin()->first + 1 == newest.size();
  return has_no_gap && IsTooShortToBeCut(newest.rbegin()->second, conversation_.channel());
}

std::string ReplyCollector::Text() const {
  std::string text;
  if (parts_.empty()) return text;
  for (const auto& [part, words] : parts_.rbegin()->second) {
    if (!text.empty()) text += '\n';
    text += words;
  }
  return text;
}

}  // namespace meshctl
