#include <algorithm>
#include <cstdio>
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
#include "services/meshctl/parked_copies.h"
#include "services/meshctl/read_topic.h"
#include "services/meshctl/requeue.h"

namespace meshctl {
namespace {

constexpr std::size_t kCopiesMax = 10'000;  // in memory at once
constexpr std::string_view kInDoubt = "in_doubt";

absl::StatusOr<ParkedCopies> ReadCopies(const Connections& connections) {
  ParkedCopies copies(kCopiesMax);
  absl::Status status =
      ReadTopic(connections.bus, bus::kParked, {}, [&](const bus::Record& record) { copies.OnParked(record); });
  if (!status.ok()) return status;
  if (copies.too_many()) return absl::OutOfRangeError(absl::StrCat("more than ", kCopiesMax, " parked replies"));
  status =
      ReadTopic(connections.bus, bus::kSendLedger, {}, [&](const bus::Record& record) { copies.OnLedger(record); });
  if (!status.ok()) return status;
  return copies;
}

int List(const Connections& connections) {
  const auto copies = ReadCopies(connections);
  if (!copies.ok()) return Fail("parked list", copies.status());
  std::size_t waiting = 0;
  for (const auto& [name, copy] : copies->by_name()) {
    const bool has_ended = copies->HasEnded(copy.reply);
    waiting += has_ended ? 0 : 1;
    json::Writer json;
    json.BeginObject();
    json.Field("id", name);
    json.Field("reason", copy.reason);
    json.Field("settled", has_ended);
    json.Field("conversation", identity::ForLog(copy.reply.conversation()));
    json.Field("generation", copy.reply.generation());
    json.Field("in_reply_to", copy.reply.in_reply_to_message_id());
    json.Field("created_at_ms", copy.reply.created_at_ms());
    json.EndObject();
    std::printf("%s\n", std::move(json).Take().c_str());
  }
  std::fprintf(stderr, "%zu copies, %zu of replies without an end\n", copies->by_name().size(), waiting);
  if (copies->passed_over() > 0) {
    std::fprintf(stderr, "%zu records passed over: no sender would take them\n", copies->passed_over());
  }
  return 0;
}

// As a dead letter of the same record would be.
absl::StatusOr<bus::OutgoingRecord> Requeued(const Connections& connections, const ParkedCopy& copy) {
  mesh::bus::v1::DeadLetter letter;
  letter.set_origin_topic(bus::TopicName(connections.bus, bus::kReplies));
  letter.set_original_key(copy.record.key);
  letter.set_original_value(copy.record.value);
  letter.set_generation(copy.reply.generation());
  return RequeuedRecord(letter, copy.record.headers, connections.bus, base::Clock::Real().WallMs());
}

int Requeue(const Connections& connections, const std::vector<std::string>& names) {
  const auto copies = ReadCopies(connections);
  if (!copies.ok()) return Fail("parked requeue", copies.status());
  telemetry::Registry metrics;
  const auto producer = bus::Producer::Create(connections.bus, {}, "meshctl", metrics);
  if (!producer.ok()) return Fail("parked requeue", producer.status());
  int code = 0;
  for (const std::string& name : names) {
    if (copies->by_name().contains(name)) continue;
    code = Fail(absl::StrCat("parked requeue ", name), absl::NotFoundError("no such copy; see meshctl parked list"));
  }
  for (const auto& [name, copy] : copies->by_name()) {
    if (!names.empty() && std::ranges::find(names, name) == names.end()) continue;
    if (copy.reason != kInDoubt) {
      if (!names.empty()) std::printf("left %s: the sender takes it back once its account can send\n", name.c_str());
      continue;
    }
    if (copies->HasEnded(copy.reply)) {
      std::printf("left %s: a status has told of its end since\n", name.c_str());
      continue;
    }
    const absl::Status status = WriteRequeued(**producer, name, Requeued(connections, copy), copy.reply.generation());
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
