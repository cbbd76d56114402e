#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/base/hex.h"
#include "libs/bus/group_lag.h"
#include "libs/bus/headers.h"
#include "libs/bus/log_reader.h"
#include "libs/bus/topics.h"
#include "libs/identity/identity.h"
#include "libs/json/writer.h"
#include "proto/bus/v1/bus.pb.h"
#include "services/meshctl/command.h"
#include "services/meshctl/connections.h"

namespace meshctl {
namespace {

using mesh::bus::v1::LedgerRecord;

constexpr auto kTimeout = std::chrono::seconds(60);
constexpr std::uint32_t kPartsMax = 20;

struct Step {
  std::int64_t at_ms = 0;
  std::string place;  // topic/partition/offset
  std::string what;
};

// Everything that one message left in the log, found by reading the topics from their beginnings: a tool's way, which takes
// seconds on a log of gigabytes.
class MessageTrace {
 public:
  MessageTrace(const Connections& connections, std::string message_id)
      : connections_(connections), message_id_(std::move(message_id)) {}

  absl::Status Read() {
    for (const auto& [topic, take] : {std::pair{bus::kTurns, &MessageTrace::TakeTurn},
                                      std::pair{bus::kReplies, &MessageTrace::TakeReply},
                                      std::pair{bus::kSendLedger, &MessageTrace::TakeLedger},
                                      std::pair{bus::kStatuses, &MessageTrace::TakeStatus},
                                      std::pair{bus::kDeadLetter, &MessageTrace::TakeDeadLetter}}) {
      const std::string name = bus::TopicName(connections_.bus, topic);
      const auto partitions = bus::PartitionsOf(connections_.bus, name, In(kTimeout));
      if (!partitions.ok()) return partitions.status();
      const absl::Status status = bus::ReadThrough(
          connections_.bus, "meshctl", *partitions,
          [this, take](const bus::Record& record) {
            (this->*take)(record);
            return true;
          },
          In(kTimeout));
      if (!status.ok()) return status;
      if (topic == bus::kTurns && turn_id_.empty()) {
        return absl::NotFoundError(absl::StrCat("no record of ", message_id_, " in ", name,
                                                ": the gateway never took it, or it is older than the topic keeps"));
      }
    }
    ReadHistory();
    std::stable_sort(steps_.begin(), steps_.end(), [](const Step& a, const Step& b) { return a.at_ms < b.at_ms; });
    return absl::OkStatus();
  }

  void PrintTimeline() const {
    std::printf("message  %s\nturn     %s\ntrace    %s\n\n", message_id_.c_str(), base::ToHex(turn_id_).c_str(),
                trace_id_.c_str());
    for (const Step& step : steps_) {
      std::printf("%+8lld ms  %-28s %s\n", static_cast<long long>(step.at_ms - steps_.front().at_ms), step.place.c_str(),
                  step.what.c_str());
    }
    std::printf("\nhistory  %s\n", history_.c_str());
  }

  void PrintJson() const {
    json::Writer json;
    json.BeginObject();
    json.Field("message_id", message_id_);
    json.Field("turn_id", base::ToHex(turn_id_));
    json.Field("trace_id", trace_id_);
    json.Key("steps"), json.BeginArray();
    for (const Step& step : steps_) {
      json.BeginObject();
      json.Field("at_ms", step.at_ms);
      json.Field("place", step.place);
      json.Field("what", step.what);
      json.EndObject();
    }
    json.EndArray();
    json.Field("history", history_);
    json.EndObject();
    std::printf("%s\n", std::move(json).Take().c_str());
  }

 private:
  void Add(const bus::Record& record, std::string what) {
    steps_.push_back({record.timestamp_ms, absl::StrCat(record.topic, "/", record.partition, "/", record.offset), std::move(what)});
  }

  void TakeTurn(const bus::Record& record) {
    mesh::bus::v1::Turn turn;
    if (!turn.ParseFromString(record.value) || turn.message_id() != message_id_) return;
    if (turn_id_.empty()) {
      turn_id_ = turn.turn_id();
      conversation_ = turn.conversation();
      trace_id_ = bus::TraceOf(record.headers).trace_id;
      for (const auto kind : {mesh::bus::v1::REPLY_KIND_ANSWER, mesh::bus::v1::REPLY_KIND_NOTICE}) {
        for (std::uint32_t part = 0; part < kPartsMax; ++part) {
          reply_ids_.insert(identity::MakeReplyId(identity::TurnId(turn_id_), 0, kind, part).value());
        }
      }
      Add(record, absl::StrCat("accepted: ", identity::ForLog(conversation_), ", type ", turn.type()));
    } else {
      Add(record, "accepted again (the same message; ignored once answered)");
    }
  }

  void TakeReply(const bus::Record& record) {
    mesh::bus::v1::ReplyRecord value;
    if (!value.ParseFromString(record.value)) return;
    if (value.has_reply() && value.reply().turn_id() == turn_id_) {
      const mesh::bus::v1::Reply& reply = value.reply();
      const bool first = replied_.insert({reply.generation(), reply.kind()}).second;
      Add(record, absl::StrCat(reply.kind() == mesh::bus::v1::REPLY_KIND_NOTICE ? "notice" : "reply", ", ",
                               reply.text().size(), " bytes, ", reply.prompt_tokens(), "+", reply.completion_tokens(),
                               " tokens", first ? "" : " (later than the first; ignored)"));
    } else if (value.has_supersede() && value.supersede().turn_id() == turn_id_) {
      Add(record, "superseded by a later message");
    }
  }

  void TakeLedger(const bus::Record& record) {
    LedgerRecord value;
    if (!value.ParseFromString(record.value)) return;
    if (value.has_plan() && value.plan().turn_id() == turn_id_) {
      Add(record, absl::StrCat("PLAN ", value.plan().parts_size(), " part(s)"));
    } else if (value.has_claim() && reply_ids_.contains(value.claim().reply_id())) {
      Add(record, absl::StrCat("CLAIM in term ", value.claim().term()));
    } else if (value.has_sent() && reply_ids_.contains(value.sent().reply_id())) {
      if (!value.sent().message_id().empty()) platform_ids_.insert(value.sent().message_id());
      Add(record, absl::StrCat("SENT ", mesh::bus::v1::LedgerSent::Outcome_Name(value.sent().outcome()), " ",
                               value.sent().message_id()));
    } else if (value.has_evidence() && reply_ids_.contains(value.evidence().reply_id())) {
      Add(record, absl::StrCat("EVIDENCE ", mesh::bus::v1::DeliveryState_Name(value.evidence().state())));
    }
  }

  void TakeStatus(const bus::Record& record) {
    mesh::bus::v1::DeliveryStatus status;
    if (!status.ParseFromString(record.value)) return;
    const std::string reply_id = base::FromHex(status.reply_id_hex()).value_or("");
    if (reply_ids_.contains(reply_id) || platform_ids_.contains(status.message_id())) {
      Add(record, absl::StrCat("platform says ", mesh::bus::v1::DeliveryState_Name(status.state())));
    }
  }

  void TakeDeadLetter(const bus::Record& record) {
    mesh::bus::v1::DeadLetter letter;
    mesh::bus::v1::Turn turn;
    if (letter.ParseFromString(record.value) && turn.ParseFromString(letter.original_value()) && turn.turn_id() == turn_id_) {
      Add(record, absl::StrCat("dead letter: ", letter.reason(), " (", letter.detail(), ")"));
    }
  }

  void ReadHistory() {
    const std::unique_ptr<session::Client> client = session::Client::Create(connections_.session_target);
    mesh::session::v1::GetSessionRequest request;
    *request.mutable_conversation() = conversation_;
    const auto stored = client->GetSession(request, {});
    if (!stored.ok()) {
      history_ = absl::StrCat("session does not answer: ", stored.status().message());
      return;
    }
    history_ = "not in the stored conversation (not projected yet, forgotten, or trimmed)";
    for (const mesh::session::v1::HistoryTurn& turn : stored->turns()) {
      if (turn.turn_id() == turn_id_) history_ = absl::StrCat("stored, ", mesh::session::v1::Outcome_Name(turn.outcome()));
    }
  }

  const Connections& connections_;
  const std::string message_id_;
  std::string turn_id_;
  std::string trace_id_;
  mesh::bus::v1::ConversationId conversation_;
  std::set<std::string> reply_ids_;
  std::set<std::string> platform_ids_;
  std::set<std::pair<std::uint32_t, int>> replied_;
  std::vector<Step> steps_;
  std::string history_;
};

}  // namespace

int RunTrace(int argc, const char* const* argv) {
  Connections connections;
  std::vector<std::string> words;
  bool as_json = false;
  config::OptionTable table("meshctl trace", "Follows one message through every topic, the ledger and the stored history.");
  table.AllowPositionals(&words, "MESSAGE_ID", "The channel's id of the user's message, as meshctl send prints it.");
  table.Add("json", &as_json, {.doc = "One JSON object in place of the timeline."});
  RegisterConnections(table, &connections);
  table.AddExample("meshctl trace wamid.HBgL...", "what happened, with the time since it was accepted");
  if (const std::optional<int> code = ParseCommand(table, argc, argv)) return *code;
  if (words.size() != 1) {
    std::fprintf(stderr, "meshctl: trace needs one MESSAGE_ID; see meshctl trace --help\n");
    return 2;
  }
  MessageTrace trace(connections, words[0]);
  if (absl::Status status = trace.Read(); !status.ok()) return Fail("trace", status);
  as_json ? trace.PrintJson() : trace.PrintTimeline();
  return 0;
}

}  // namespace meshctl
