#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "libs/channel/codec.h"
#include "libs/channel/event_json.h"
#include "libs/channel/unusable.h"
#include "tests/libs/channel/webhook_files.h"

namespace channel {
namespace {

// Begin and end of every scalar that stands as a value in valid JSON: what a type swap replaces.
std::vector<std::pair<std::size_t, std::size_t>> ScalarValues(std::string_view json) {
  std::vector<std::pair<std::size_t, std::size_t>> values;
  for (std::size_t at = 0; at < json.size();) {
    const std::size_t begin = at;
    if (json[at] == '"') {
      for (++at; at < json.size() && json[at] != '"'; ++at) at += json[at] == '\\' ? 1 : 0;
      ++at;
      if (at < json.size() && json[at] == ':') continue;  // a key
    } else if (std::string_view("-0123456789tfn").find(json[at]) != std::string_view::npos) {
      while (at < json.size() && std::string_view(",]}").find(json[at]) == std::string_view::npos) ++at;
    } else {
      ++at;
      continue;
    }
    values.emplace_back(begin, std::min(at, json.size()));
  }
  return values;
}

std::string SwapType(std::string json, std::mt19937& rng) {
  static constexpr std::string_view kOther[] = {
      "null", "0",        "-1",         "1e308", "18446744073709551615", "-9223372036854775808",
      "0.5",  "true",     "\"\"",       "\"x\"", "\"\\u0000\"",          "[]",
      "{}",   "[[[{}]]]", "{\"id\":[]}"};
  const auto values = ScalarValues(json);
  if (values.empty()) return json;
  const auto [begin, end] = values[rng() % values.size()];
  return json.replace(begin, end - begin, kOther[rng() % std::size(kOther)]);
}

std::string DamageBytes(std::string json, std::mt19937& rng) {
  if (json.empty()) return json;
  switch (rng() % 4) {
    case 0:  // flip
      for (std::size_t n = 1 + rng() % 8; n > 0; --n) {
        char& c = json[rng() % json.size()];
        c = static_cast<char>(c ^ (1 << (rng() % 8)));
      }
      return json;
    case 1:  // truncate
      return json.substr(0, rng() % json.size());
    case 2: {  // repeat a piece
      const std::size_t begin = rng() % json.size();
      return json.insert(rng() % json.size(), json.substr(begin, rng() % 64));
    }
    default:  // drop a piece
      return json.erase(rng() % json.size(), 1 + rng() % 16);
  }
}

class MutationTest : public ::testing::Test {
 protected:
  const unsigned seed_ = std::random_device{}();
  ::testing::ScopedTrace trace_{__FILE__, __LINE__, "seed " + std::to_string(seed_)};
  std::mt19937 rng_{seed_};
};

void ExpectWellFormed(const absl::StatusOr<std::vector<Event>>& events) {
  if (!events.ok()) {
    EXPECT_EQ(events.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(UnusableReasons(), testing::Contains(std::string(events.status().message())))
        << "an unbounded metric label";
    return;
  }
  for (const Event& event : *events) {
    EXPECT_EQ(event.kind == EventKind::kError, !event.error.empty());
    if (!event.error.empty()) {
      EXPECT_THAT(UnusableReasons(), testing::Contains(event.error));
    }
    EXPECT_TRUE(event.kind == EventKind::kError || !event.account.empty());
    if (event.kind == EventKind::kMessage || event.kind == EventKind::kPostback) {
      EXPECT_FALSE(event.user.empty());
      EXPECT_FALSE(event.message_id.empty());
    }
  }
}

// Goal: no bytes crash or hang a codec, and what it says stays well formed.
TEST_F(MutationTest, DamagedBytesAreSurvived) {
  for (const WebhookFile& file : WebhookFiles()) {
    for (int round = 0; round < 200; ++round) {
      std::string body = file.body;
      for (std::size_t n = 1 + rng_() % 3; n > 0; --n) body = DamageBytes(std::move(body), rng_);
      ASSERT_NO_FATAL_FAILURE(ExpectWellFormed(FindCodec(file.channel)->Decode(body))) << file.path;
    }
  }
}

TEST_F(MutationTest, SwappedTypesAreSurvived) {
  for (const WebhookFile& file : WebhookFiles()) {
    for (int round = 0; round < 200; ++round) {
      std::string body = file.body;
      for (std::size_t n = 1 + rng_() % 4; n > 0; --n) body = SwapType(std::move(body), rng_);
      ASSERT_NO_FATAL_FAILURE(ExpectWellFormed(FindCodec(file.channel)->Decode(body))) << file.path;
    }
  }
}

// The elements of `entry` as text, when `body` has the usual form {"object":...,"entry":[ELEMENTS]}.
std::string EntriesOf(std::string_view body) {
  static constexpr std::string_view kStart = "\"entry\":[";
  const std::size_t begin = body.find(kStart);
  if (begin == std::string_view::npos || !body.starts_with("{\"object\"") || !body.ends_with("]}")) return {};
  return std::string(body.substr(begin + kStart.size(), body.size() - 2 - begin - kStart.size()));
}

// Goal: damage to one entry changes no event of its neighbours.
// Method: a damaged entry between two untouched ones whose events are known.
TEST_F(MutationTest, NeighboursOfADamagedEntryAreUntouched) {
  struct Neighbour {
    mesh::bus::v1::Channel channel;
    std::string object;
    std::string entry;
  };
  const Neighbour neighbours[] = {
      {mesh::bus::v1::CHANNEL_WHATSAPP, "whatsapp_business_account",
       R"({"id":"9","changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"77"},)"
       R"("messages":[{"from":"1","id":"wamid.N%","timestamp":"1","type":"text","text":{"body":"n"}}]}}]})"},
      {mesh::bus::v1::CHANNEL_MESSENGER, "page",
       R"({"id":"9","messaging":[{"sender":{"id":"1"},"recipient":{"id":"9"},"message":{"mid":"m_N%","text":"n"}}]})"},
      {mesh::bus::v1::CHANNEL_INSTAGRAM, "instagram",
       R"({"id":"9","messaging":[{"sender":{"id":"1"},"recipient":{"id":"9"},"message":{"mid":"m_N%","text":"n"}}]})"}};
  for (const WebhookFile& file : WebhookFiles()) {
    const std::string entries = EntriesOf(file.body);
    if (entries.empty()) continue;
    const Neighbour& neighbour = *std::ranges::find(neighbours, file.channel, &Neighbour::channel);
    const auto numbered = [&](char digit) {
      std::string entry = neighbour.entry;
      entry[entry.find('%')] = digit;
      return entry;
    };
    for (int round = 0; round < 20; ++round) {
      const std::string damaged = SwapType(SwapType(entries, rng_), rng_);
      const std::string body = R"({"object":")" + neighbour.object + R"(","entry":[)" + numbered('1') + "," + damaged +
                               "," + numbered('2') + "]}";
      const absl::StatusOr<std::vector<Event>> events = FindCodec(file.channel)->Decode(body);
      if (!events.ok()) continue;  // the file itself is not JSON
      ASSERT_GE(events->size(), 2u) << body;
      for (const Event& event : {events->front(), events->back()}) {
        EXPECT_EQ(event.kind, EventKind::kMessage) << body;
        EXPECT_EQ(event.text, "n");
        EXPECT_EQ(event.user, "1");
      }
      EXPECT_TRUE(events->front().message_id.ends_with("N1"));
      EXPECT_TRUE(events->back().message_id.ends_with("N2"));
    }
  }
}

// The elements, as text, of each list that stands under `key` in valid JSON.
std::vector<std::string> ListsUnder(std::string_view json, const std::string& key) {
  const std::string start = "\"" + key + "\":[";
  std::vector<std::string> lists;
  for (std::size_t begin = json.find(start); begin != std::string_view::npos; begin = json.find(start, begin)) {
    begin += start.size();
    std::size_t end = begin;
    bool in_string = false;
    for (int depth = 1; end < json.size(); ++end) {
      const char c = json[end];
      if (c == '\\') ++end;
      if (c == '"') in_string = !in_string;
      if (in_string) continue;
      depth += c == '[' ? 1 : c == ']' ? -1 : 0;
      if (depth == 0) break;
    }
    if (end > begin && end < json.size()) lists.emplace_back(json.substr(begin, end - begin));
  }
  return lists;
}

// A list of items, and the events of items that are put into it.
struct ItemList {
  mesh::bus::v1::Channel channel;
  std::string key;
  std::string before;  // the body around it
  std::string after;
  std::string item;  // whose id has a % for a digit

  std::string Numbered(char digit) const {
    std::string numbered = item;
    numbered[numbered.find('%')] = digit;
    return numbered;
  }
  absl::StatusOr<std::vector<Event>> Decode(const std::string& items) const {
    return FindCodec(channel)->Decode(before + items + after);
  }
};

std::vector<ItemList> ItemLists() {
  std::vector<ItemList> lists;
  for (const auto& [field, key, item] :
       {std::tuple{"messages", "messages",
                   R"({"from":"1","id":"wamid.N%","timestamp":"1","type":"image","image":{"id":"5","caption":"n"}})"},
        {"messages", "statuses",
         R"({"id":"wamid.N%","status":"read","timestamp":"1","recipient_id":"1","errors":[{"code":7,"title":"n"}]})"},
        {"smb_message_echoes", "message_echoes",
         R"({"from":"77","to":"1","id":"wamid.N%","timestamp":"1","type":"text","text":{"body":"n"}})"}}) {
    lists.push_back({mesh::bus::v1::CHANNEL_WHATSAPP, key,
                     std::string(R"({"object":"whatsapp_business_account","entry":[{"id":"9","changes":[{"field":")") +
                         field + R"(","value":{"metadata":{"phone_number_id":"77"},")" + key + "\":[",
                     "]}}]}]}", item});
  }
  for (const auto& [channel, object] : {std::pair{mesh::bus::v1::CHANNEL_MESSENGER, "page"},
                                        std::pair{mesh::bus::v1::CHANNEL_INSTAGRAM, "instagram"}}) {
    for (const std::string key : {"messaging", "standby"}) {
      lists.push_back({channel, key,
                       std::string(R"({"object":")") + object + R"(","entry":[{"id":"9","time":1,")" + key + "\":[",
                       "]}]}",
                       R"({"sender":{"id":"1"},"recipient":{"id":"9"},"message":{"mid":"m_N%","text":"n",)"
                       R"("attachments":[{"type":"image","payload":{"url":"https://example.com/n"}}]}})"});
    }
  }
  return lists;
}

// Goal: damage to one item changes no event of its neighbours in the same list.
// Method: the damaged items of each golden payload between two whole ones, whose events are those that each gives
// alone.
TEST_F(MutationTest, NeighboursOfDamagedItemsAreUntouched) {
  for (const ItemList& list : ItemLists()) {
    const auto alone = [&list](char digit) { return list.Decode(list.Numbered(digit)); };
    ASSERT_EQ(alone('1')->size(), 1u) << list.key;
    int tried = 0;
    for (const WebhookFile& file : WebhookFiles()) {
      if (file.channel != list.channel) continue;
      for (const std::string& items : ListsUnder(file.body, list.key)) {
        for (int round = 0; round < 20; ++round) {
          const std::string damaged = SwapType(SwapType(items, rng_), rng_);
          const auto events = list.Decode(list.Numbered('1') + "," + damaged + "," + list.Numbered('2'));
          if (!events.ok()) continue;  // the file itself is not JSON
          ++tried;
          ASSERT_GE(events->size(), 2u) << damaged;
          EXPECT_EQ(DecodeLine("", std::vector{events->front()}), DecodeLine("", alone('1'))) << damaged;
          EXPECT_EQ(DecodeLine("", std::vector{events->back()}), DecodeLine("", alone('2'))) << damaged;
          EXPECT_EQ(events->back().original, alone('2')->front().original) << damaged;
        }
      }
    }
    EXPECT_GE(tried, 20) << list.key;
  }
}

}  // namespace
}  // namespace channel
