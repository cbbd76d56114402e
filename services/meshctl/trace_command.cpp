#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/bus/topics.h"
#include "libs/identity/identity.h"
#include "libs/json/writer.h"
#include "services/meshctl/command.h"
#include "services/meshctl/connections.h"
#include "services/meshctl/read_topic.h"
#include "services/meshctl/timeline.h"

namespace meshctl {
namespace {

absl::Status ReadLog(const Connections& connections, const std::string& message, Timeline& timeline) {
  absl::Status status =
      ReadTopic(connections.bus, bus::kTurns, "", [&](const bus::Record& record) { timeline.OnTurn(record); });
  if (!status.ok()) return status;
  if (!timeline.conversation()) {
    return absl::NotFoundError(absl::StrCat("no record of ", message, " in ",
                                            bus::TopicName(connections.bus, bus::kTurns),
                                            ": the gateway never took it, or it is older than the topic keeps"));
  }
  const std::string key = identity::KeyOf(*timeline.conversation()).value();
  for (const auto& [topic, take] :
       {std::pair{bus::kReplies, &Timeline::OnReply}, std::pair{bus::kParked, &Timeline::OnReply},
        std::pair{bus::kSendLedger, &Timeline::OnLedger}, std::pair{bus::kStatuses, &Timeline::OnStatus},
        std::pair{bus::kDeadLetter, &Timeline::OnDeadLetter}}) {
    const auto method = take;
    status = ReadTopic(connections.bus, topic, key, [&](const bus::Record& record) { (timeline.*method)(record); });
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

void ReadHistory(const Connections& connections, Timeline& timeline) {
  mesh::session::v1::GetSessionRequest request;
  *request.mutable_conversation() = *timeline.conversation();
  request.set_turns_max(1000);
  const auto stored = session::Client::Create(connections.session_target)->GetSession(request, {});
  if (stored.ok()) {
    timeline.OnSession(*stored);
  } else {
    Fail(absl::StrCat("trace: the session service at ", connections.session_target), stored.status());
  }
}

void PrintTimeline(const Timeline& timeline) {
  std::printf("message  %s\nturn     %s\ntrace    %s\n\n", timeline.message_id().c_str(),
              timeline.turn_id_hex().c_str(), timeline.trace_id().c_str());
  const std::vector<TimelineEntry> entries = timeline.Sorted();
  for (const TimelineEntry& entry : entries) {
    const std::string at = entry.at_ms == 0 ? "now" : absl::StrCat("+", entry.at_ms - entries.front().at_ms, " ms");
    std::printf("%12s  %-28s %s\n", at.c_str(), entry.where.c_str(), entry.what.c_str());
  }
}

void PrintJson(const Timeline& timeline) {
  json::Writer json;
  json.BeginObject();
  json.Field("message_id", timeline.message_id());
  json.Field("turn_id", timeline.turn_id_hex());
  json.Field("trace_id", timeline.trace_id());
  json.Key("steps"), json.BeginArray();
  for (const TimelineEntry& entry : timeline.Sorted()) {
    json.BeginObject();
    if (entry.at_ms != 0) json.Field("at_ms", entry.at_ms);  // else what holds now
    json.Field("place", entry.where);
    json.Field("what", entry.what);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  std::printf("%s\n", std::move(json).Take().c_str());
}

}  // namespace

int RunTrace(int argc, const char* const* argv) {
  Connections connections;
  std::vector<std::string> words;
  bool as_json = false;
  config::OptionTable table("meshctl trace",
                            "Follows one message through every topic, the ledger and the stored history.");
  table.AllowPositionals(&words, "MESSAGE_ID",
                         "The channel's id of the user's message, as meshctl send prints it, or the turn's (64 hex "
                         "digits), as log lines name it.");
  table.Add("json", &as_json,
            {.doc = "One JSON object in place of the timeline. A step without at_ms is what the history holds now."});
  RegisterConnections(table, &connections);
  table.AddExample("meshctl trace wamid.HBgL...", "what happened, with the time since it was accepted");
  if (const std::optional<int> code = ParseCommand(table, argc, argv)) return *code;
  if (words.size() != 1) {
    std::fprintf(stderr, "meshctl: trace needs one MESSAGE_ID; see meshctl trace --help\n");
    return 2;
  }
  Timeline timeline(words[0]);
  if (absl::Status status = ReadLog(connections, words[0], timeline); !status.ok()) return Fail("trace", status);
  ReadHistory(connections, timeline);
  as_json ? PrintJson(timeline) : PrintTimeline(timeline);
  return 0;
}

}  // namespace meshctl
