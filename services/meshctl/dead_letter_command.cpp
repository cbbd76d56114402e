#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/base/hex.h"
#include "libs/bus/group_lag.h"
#include "libs/bus/headers.h"
#include "libs/bus/log_reader.h"
#include "libs/bus/producer.h"
#include "libs/bus/topics.h"
#include "libs/identity/identity.h"
#include "libs/json/writer.h"
#include "proto/bus/v1/bus.pb.h"
#include "services/meshctl/command.h"
#include "services/meshctl/connections.h"

namespace meshctl {
namespace {

using mesh::bus::v1::DeadLetter;

constexpr auto kTimeout = std::chrono::seconds(30);
constexpr std::string_view kGenerationHeader = "mesh-generation";

// A dead letter is named by where it stands: "partition-offset".
std::string NameOf(const bus::Record& record) { return absl::StrCat(record.partition, "-", record.offset); }

absl::Status ForEachDeadLetter(const Connections& connections,
                               const std::function<bool(const bus::Record&, const DeadLetter&)>& visit) {
  const std::string topic = bus::TopicName(connections.bus, bus::kDeadLetter);
  const auto partitions = bus::PartitionsOf(connections.bus, topic, In(kTimeout));
  if (!partitions.ok()) return partitions.status();
  return bus::ReadThrough(
      connections.bus, "meshctl", *partitions,
      [&](const bus::Record& record) {
        DeadLetter letter;
        return !letter.ParseFromString(record.value) || visit(record, letter);
      },
      In(kTimeout));
}

void PrintLetter(const bus::Record& record, const DeadLetter& letter) {
  mesh::bus::v1::Turn turn;
  const bool is_turn = turn.ParseFromString(letter.original_value()) && turn.turn_id().size() == 32;
  json::Writer json;
  json.BeginObject();
  json.Field("id", NameOf(record));
  json.Field("reason", letter.reason());
  json.Field("detail", letter.detail());
  json.Field("dead_at_ms", letter.dead_at_ms());
  json.Field("service", letter.service());
  json.Field("attempts", letter.attempts());
  json.Field("generation", letter.generation());
  json.Field("origin", absl::StrCat(letter.origin_topic(), "/", letter.origin_partition(), "/", letter.origin_offset()));
  json.Field("conversation", letter.has_conversation() ? identity::ForLog(letter.conversation()) : "");
  json.Field("message_id", is_turn ? turn.message_id() : "");
  json.Field("bytes", letter.original_value().size());
  json.EndObject();
  std::printf("%s\n", std::move(json).Take().c_str());
}

int List(const Connections& connections) {
  std::size_t count = 0;
  const absl::Status status = ForEachDeadLetter(connections, [&](const bus::Record& record, const DeadLetter& letter) {
    PrintLetter(record, letter);
    ++count;
    return true;
  });
  if (!status.ok()) return Fail("dead-letter list", status);
  std::fprintf(stderr, "%zu dead letters\n", count);
  return 0;
}

// The original record again, at the end of its topic, with the next generation: its reply gets ids of its own, so that it is
// said although the turn was given up before.
absl::Status Requeue(bus::Producer& producer, const DeadLetter& letter) {
  bus::OutgoingRecord record;
  record.topic = letter.origin_topic();
  record.partition = letter.origin_partition();
  record.key = letter.original_key();
  record.value = letter.original_value();
  record.headers = bus::MakeHeaders(telemetry::TraceContext::NewRoot(), "mesh.bus.v1.Turn",
                                    base::ToHex(record.value.substr(0, 8)), "meshctl", base::Clock::Real().WallMs());
  record.headers.emplace_back(kGenerationHeader, absl::StrCat(letter.generation() + 1));
  return producer.ProduceAndWait(std::move(record)).status();
}

int RequeueNamed(const Connections& connections, const std::vector<std::string>& names) {
  std::map<std::string, DeadLetter> wanted;
  const absl::Status status = ForEachDeadLetter(connections, [&](const bus::Record& record, const DeadLetter& letter) {
    for (const std::string& name : names) {
      if (name == NameOf(record)) wanted[name] = letter;
    }
    return wanted.size() < names.size();
  });
  if (!status.ok()) return Fail("dead-letter requeue", status);
  telemetry::Registry metrics;
  const auto producer = bus::Producer::Create(connections.bus, {}, "meshctl", metrics);
  if (!producer.ok()) return Fail("dead-letter requeue", producer.status());
  int code = 0;
  for (const std::string& name : names) {
    absl::Status requeued = absl::NotFoundError("no such dead letter; see meshctl dead-letter list");
    if (const auto letter = wanted.find(name); letter != wanted.end()) {
      const bool is_turn = letter->second.origin_topic() == bus::TopicName(connections.bus, bus::kTurns);
      requeued = is_turn ? Requeue(**producer, letter->second)
                         : absl::FailedPreconditionError("only turns can be requeued; this one came from " +
                                                         letter->second.origin_topic());
    }
    if (requeued.ok()) {
      std::printf("requeued %s as generation %u\n", name.c_str(), wanted[name].generation() + 1);
    } else {
      code = Fail(absl::StrCat("dead-letter requeue ", name), requeued);
    }
  }
  return code;
}

}  // namespace

int RunDeadLetter(int argc, const char* const* argv) {
  Connections connections;
  std::vector<std::string> words;
  config::OptionTable table("meshctl dead-letter", "Lists what was given up, or puts turns back for another try.");
  table.AllowPositionals(&words, "list | requeue ID...", "What to do; an ID is partition-offset, as list prints it.");
  RegisterConnections(table, &connections);
  table.AddExample("meshctl dead-letter list", "one JSON line each");
  table.AddExample("meshctl dead-letter requeue 3-17", "answers that turn after all");
  if (const std::optional<int> code = ParseCommand(table, argc, argv)) return *code;
  if (words.size() == 1 && words[0] == "list") return List(connections);
  if (words.size() > 1 && words[0] == "requeue") return RequeueNamed(connections, {words.begin() + 1, words.end()});
  std::fprintf(stderr, "meshctl: dead-letter list, or dead-letter requeue ID...; see meshctl dead-letter --help\n");
  return 2;
}

}  // namespace meshctl
