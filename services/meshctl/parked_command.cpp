#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/bus/producer.h"
#include "libs/bus/topics.h"
#include "libs/identity/identity.h"
#include "libs/json/writer.h"
#include "services/meshctl/command.h"
#include "services/meshctl/connections.h"
#include "services/meshctl/ledger_outcomes.h"
#include "services/meshctl/read_topic.h"
#include "services/meshctl/requeue.h"

namespace meshctl {
namespace {

using mesh::bus::v1::Reply;

constexpr std::size_t kCopiesMax = 10'000;      // in memory at once
constexpr std::size_t kSettledMax = 1'000'000;  // of a partition; statuses of older ones tell nothing

// What the sender's copies carry (services/sender/effects.h).
constexpr std::string_view kReasonHeader = "mesh-parked";
constexpr std::string_view kInDoubt = "in_doubt";

struct Parked {
  bus::Record copy;
  Reply reply;
  std::string reason;  // in_doubt, account
};

// A parked reply is named by where its copy stands: "partition-offset".
using ParkedByName = std::map<std::string, Parked>;

absl::StatusOr<ParkedByName> ReadParked(const Connections& connections) {
  ParkedByName found;
  bool too_many = false;
  const absl::Status status = ReadTopic(connections.bus, bus::kParked, {}, [&](const bus::Record& record) {
    mesh::bus::v1::ReplyRecord value;
    if (!value.ParseFromString(record.value) || !value.has_reply()) return;
    too_many |= found.size() >= kCopiesMax;
    if (too_many) return;
    found[CommandName(record)] = {record, value.reply(), std::string(bus::FindHeader(record.headers, kReasonHeader))};
  });
  if (!status.ok()) return status;
  if (too_many) return absl::OutOfRangeError(absl::StrCat("more than ", kCopiesMax, " parked replies"));
  return found;
}

// The turns, with their generation, of which the ledger knows the end by now: a status came after all.
using Settled = std::set<std::pair<std::string, std::uint32_t>>;

absl::StatusOr<Settled> ReadSettled(const Connections& connections) {
  Settled settled;
  std::map<std::int32_t, std::unique_ptr<LedgerOutcomes>> ledgers;  // by partition
  const absl::Status status = ReadTopic(connections.bus, bus::kSendLedger, {}, [&](const bus::Record& record) {
    mesh::bus::v1::LedgerRecord value;
    if (!value.ParseFromString(record.value)) return;
    auto& ledger = ledgers[record.partition];
    if (ledger == nullptr) ledger = std::make_unique<LedgerOutcomes>(kSettledMax);
    if (const auto report = ledger->Apply(record.offset, value)) {
      settled.emplace(report->turn_id(), report->generation());
    }
  });
  if (!status.ok()) return status;
  return settled;
}

bool IsSettled(const Settled& settled, const Reply& reply) {
  return settled.contains({reply.turn_id(), reply.generation()});
}

int List(const Connections& connections) {
  const auto parked = ReadParked(connections);
  if (!parked.ok()) return Fail("parked list", parked.status());
  const auto settled = ReadSettled(connections);
  if (!settled.ok()) return Fail("parked list", settled.status());
  std::size_t waiting = 0;
  for (const auto& [name, entry] : *parked) {
    const bool has_ended = IsSettled(*settled, entry.reply);
    waiting += has_ended ? 0 : 1;
    json::Writer json;
    json.BeginObject();
    json.Field("id", name);
    json.Field("reason", entry.reason);
    json.Field("settled", has_ended);
    json.Field("conversation", identity::ForLog(entry.reply.conversation()));
    json.Field("generation", entry.reply.generation());
    json.Field("in_reply_to", entry.reply.in_reply_to_message_id());
    json.Field("created_at_ms", entry.reply.created_at_ms());
    json.EndObject();
    std::printf("%s\n", std::move(json).Take().c_str());
  }
  std::fprintf(stderr, "%zu copies, %zu of replies without an end\n", parked->size(), waiting);
  return 0;
}

// As a dead letter of the same record would be.
absl::StatusOr<bus::OutgoingRecord> Requeued(const Connections& connections, const Parked& parked) {
  mesh::bus::v1::DeadLetter letter;
  letter.set_origin_topic(bus::TopicName(connections.bus, bus::kReplies));
  letter.set_original_key(parked.copy.key);
  letter.set_original_value(parked.copy.value);
  letter.set_generation(parked.reply.generation());
  return RequeuedRecord(letter, parked.copy.headers, connections.bus, base::Clock::Real().WallMs());
}

int Requeue(const Connections& connections, const std::vector<std::string>& names) {
  const auto parked = ReadParked(connections);
  if (!parked.ok()) return Fail("parked requeue", parked.status());
  const auto settled = ReadSettled(connections);
  if (!settled.ok()) return Fail("parked requeue", settled.status());
  telemetry::Registry metrics;
  const auto producer = bus::Producer::Create(connections.bus, {}, "meshctl", metrics);
  if (!producer.ok()) return Fail("parked requeue", producer.status());
  int code = 0;
  for (const std::string& name : names) {
    if (parked->contains(name)) continue;
    code = Fail(absl::StrCat("parked requeue ", name), absl::NotFoundError("no such copy; see meshctl parked list"));
  }
  for (const auto& [name, entry] : *parked) {
    if (!names.empty() && std::ranges::find(names, name) == names.end()) continue;
    if (entry.reason != kInDoubt) {
      if (!names.empty()) std::printf("left %s: the sender takes it back once its account can send\n", name.c_str());
      continue;
    }
    if (IsSettled(*settled, entry.reply)) {
      std::printf("left %s: a status has told of its end since\n", name.c_str());
      continue;
    }
    const absl::Status status = WriteRequeued(**producer, name, Requeued(connections, entry), entry.reply.generation());
    if (!status.ok()) code = Fail(absl::StrCat("parked requeue ", name), status);
  }
  return code;
}

}  // namespace

int RunParked(int argc, const char* const* argv) {
  Connections connections;
  std::vector<std::string> words;
  bool all = false;
  config::OptionTable table("meshctl parked",
                            "Lists the replies that were parked, or sends those again of which nobody knows whether "
                            "they were shown. What waits for its account comes back by itself.");
  table.AllowPositionals(&words, "list | requeue ID...", "What to do; an ID is partition-offset, as list prints it.");
  table.Add("all", &all, {.doc = "requeue: every reply in doubt of which no status has come since."});
  RegisterConnections(table, &connections);
  table.AddExample("meshctl parked list", "one JSON line each");
  table.AddExample("meshctl parked requeue 3-17", "sends it whole, as a new generation: what was shown is shown twice");
  if (const std::optional<int> code = ParseCommand(table, argc, argv)) return *code;
  if (words.size() == 1 && words[0] == "list") return List(connections);
  if (!words.empty() && words[0] == "requeue" && all == (words.size() == 1)) {
    return Requeue(connections, {words.begin() + 1, words.end()});
  }
  std::fprintf(stderr, "meshctl: parked list, or parked requeue ID... | --all; see meshctl parked --help\n");
  return 2;
}

}  // namespace meshctl
