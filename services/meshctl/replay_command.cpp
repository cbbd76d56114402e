#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/hex.h"
#include "libs/base/str_cat.h"
#include "libs/bus/group_lag.h"
#include "libs/bus/producer.h"
#include "libs/bus/topics.h"
#include "libs/identity/identity.h"
#include "libs/json/writer.h"
#include "services/meshctl/command.h"
#include "services/meshctl/connections.h"
#include "services/meshctl/groups.h"
#include "services/meshctl/read_topic.h"
#include "services/meshctl/rebuild.h"
#include "services/meshctl/replay_plan.h"

namespace meshctl {
namespace {

constexpr auto kTimeout = std::chrono::seconds(60);

std::string NameOf(const mesh::bus::v1::ConversationId& conversation) {
  return base::StrCat(identity::ChannelName(conversation.channel()), "/", conversation.account(), "/",
                      conversation.user());
}

// The record key of the one conversation that is named so.
absl::StatusOr<std::string> FindConversation(const Connections& connections, const std::string& key) {
  std::optional<std::string> found;
  bool ambiguous = false;
  const absl::Status status = ReadTopic(connections.bus, bus::kTurns, {}, [&](const bus::Record& record) {
    if (found == record.key) return;
    const auto conversation = identity::ParseKey(record.key);
    if (!conversation || NameOf(*conversation) != key) return;
    ambiguous |= found.has_value();
    found = record.key;
  });
  if (!status.ok()) return status;
  if (ambiguous) {
    return absl::FailedPreconditionError(base::StrCat("--key=", key, " names conversations of several tenants"));
  }
  if (found) return *std::move(found);
  return absl::NotFoundError(
      base::StrCat("--key=", key, ": nothing of this conversation is in ", bus::TopicName(connections.bus, bus::kTurns),
                   "; it should be channel/account/user, as in whatsapp/100000000000001/15551234567"));
}

// The first offset that the reader has not finished in the conversation's partition of its topic.
absl::StatusOr<std::int64_t> PassedBy(const bus::BusOptions& options, const GroupReader& reader,
                                      const std::string& key) {
  const auto lags = bus::GroupTopicLag(options, reader.group, bus::TopicName(options, reader.topic)).Look(In(kTimeout));
  if (!lags.ok()) return lags.status();
  if (absl::Status status = CheckEverCommitted(reader, options, *lags); !status.ok()) {
    // Of the senders' group that is no wrong answer: nothing counts as passed, and so nothing as lost there.
    if (reader.topic == bus::kTurns) return status;
    std::fprintf(stderr, "replay: %s\n", std::string(status.message()).c_str());
  }
  const std::int32_t partition = bus::PartitionFor(key, static_cast<std::int32_t>(lags->size()));
  return std::max<std::int64_t>(lags->at(static_cast<std::size_t>(partition)).committed, 0);
}

absl::StatusOr<ReplayPlan> ReadLog(const Connections& connections, const Groups& groups, const std::string& key) {
  ReplayPlan::Passed passed;
  for (const auto& [reader, offset] :
       {std::pair{TurnsReader(groups), &passed.turns}, std::pair{RepliesReader(groups), &passed.replies}}) {
    const auto committed = PassedBy(connections.bus, reader, key);
    if (!committed.ok()) return committed.status();
    *offset = *committed;
  }
  ReplayPlan plan(key, connections.bus, passed);
  for (const auto& [topic, take] :
       {std::pair{bus::kTurns, &ReplayPlan::OnTurn}, std::pair{bus::kReplies, &ReplayPlan::OnReply},
        std::pair{bus::kSendLedger, &ReplayPlan::OnLedger}, std::pair{bus::kDeadLetter, &ReplayPlan::OnDeadLetter}}) {
    const auto method = take;
    const absl::Status status =
        ReadTopic(connections.bus, topic, key, [&](const bus::Record& record) { (plan.*method)(record); });
    if (!status.ok()) return status;
  }
  return plan;
}

void Print(const ReplayedTurn& turn) {
  json::Writer json;
  json.BeginObject();
  json.Field("turn_id", base::ToHex(turn.turn_id));
  json.Field("message_id", turn.message_id);
  json.Field("generation", turn.generation);
  json.Field("turn", base::StrCat(turn.position.partition, "/", turn.position.offset));
  json.Field("accepted_at_ms", turn.accepted_at_ms);
  json.Field("fate", NameOf(turn.fate));
  json.Field("detail", turn.detail);
  json.Field("puts_back", turn.put_back ? turn.put_back->topic : "");
  json.EndObject();
  std::printf("%s\n", std::move(json).Take().c_str());
}

int PutBack(const Connections& connections, std::vector<ReplayedTurn> turns) {
  telemetry::Registry metrics;
  const auto producer = bus::Producer::Create(connections.bus, {}, "meshctl", metrics);
  if (!producer.ok()) return Fail("replay", producer.status());
  std::size_t written = 0;
  for (ReplayedTurn& turn : turns) {
    if (!turn.put_back) continue;
    const absl::Status status = (*producer)->ProduceAndWait(*std::move(turn.put_back)).status();
    if (!status.ok()) return Fail(base::StrCat("replay: put back ", written, ", then"), status);
    ++written;
  }
  std::fprintf(stderr, "put back %zu\n", written);
  return 0;
}

}  // namespace

int RunReplay(int argc, const char* const* argv) {
  Connections connections;
  Groups groups;
  std::string from;
  std::string key;
  bool write = false;
  config::OptionTable table("meshctl replay",
                            "Says of each message of one conversation what the log knows has become of it, and with "
                            "--write puts back, under the same ids, what a service has passed although nothing came "
                            "of it. What was answered, withdrawn or given up is never put back, so nothing is sent a "
                            "second time.");
  table.Add("from", &from,
            {.doc = "Messages since then: `beginning`, a time ago such as 90m, 36h or 7d, or a time such as "
                    "2026-11-25T08:00:00Z. What is older than 7 days is shown and never put back."});
  table.Add("key", &key,
            {.doc = "The conversation: channel/account/user, with the user's id. Logs hash it, with a key of each "
                    "process, so it cannot be given as they print it."});
  table.Add("write", &write, {.doc = "Put back what is missing. Without it nothing is written."});
  RegisterGroups(table, &groups);
  RegisterConnections(table, &connections);
  table.AddExample("meshctl replay --from=2h --key=whatsapp/100000000000001/15551234567",
                   "one JSON line a message: its fate, and to which topic a replay would put it back");
  table.AddExample("meshctl replay --from=2h --key=whatsapp/100000000000001/15551234567 --write",
                   "has what was lost answered or sent after all; may be repeated");
  if (const std::optional<int> code = ParseCommand(table, argc, argv)) return *code;
  const std::int64_t now_ms = base::Clock::Real().WallMs();
  const std::optional<std::int64_t> from_ms = ParseFrom(from, now_ms);
  if (!from_ms || key.empty()) {
    std::fprintf(stderr,
                 "meshctl: replay needs --from=beginning, a time ago (2h) or a time, and --key=channel/account/user; "
                 "see meshctl replay --help\n");
    return 2;
  }
  const absl::StatusOr<std::string> conversation = FindConversation(connections, key);
  if (!conversation.ok()) return Fail("replay", conversation.status());
  const absl::StatusOr<ReplayPlan> plan = ReadLog(connections, groups, *conversation);
  if (!plan.ok()) return Fail("replay", plan.status());
  std::vector<ReplayedTurn> turns = plan->Judge(*from_ms, now_ms);
  std::size_t missing = 0;
  for (const ReplayedTurn& turn : turns) {
    Print(turn);
    missing += turn.put_back ? 1 : 0;
  }
  std::fprintf(stderr, "%zu messages, %zu to be put back%s\n", turns.size(), missing,
               missing > 0 && !write ? "; --write does it" : "");
  return write && missing > 0 ? PutBack(connections, std::move(turns)) : 0;
}

}  // namespace meshctl
