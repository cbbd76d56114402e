#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "libs/bus/producer.h"
#include "libs/bus/topics.h"
#include "libs/identity/identity.h"
#include "libs/json/writer.h"
#include "libs/session/client.h"
#include "proto/bus/v1/bus.pb.h"
#include "services/meshctl/command.h"
#include "services/meshctl/connections.h"
#include "services/meshctl/read_topic.h"
#include "services/meshctl/requeue.h"
#include "services/meshctl/requeue_check.h"

namespace meshctl {
namespace {

using mesh::bus::v1::DeadLetter;

constexpr std::size_t kRequeueMax = 10'000;  // letters in memory at once
constexpr int kHistoryTurnsMax = 1000;       // more than session keeps

std::string OriginOf(const DeadLetter& letter) {
  return absl::StrCat(letter.origin_topic(), "/", letter.origin_partition(), "/", letter.origin_offset());
}

// What was passed over while letters were read.
struct PassedOver {
  std::size_t copies = 0;      // a service that dies right behind a letter writes it again
  std::size_t unreadable = 0;  // not a DeadLetter
};

// Each letter once: the first of those about the same record.
absl::StatusOr<PassedOver> ForEachDeadLetter(const Connections& connections,
                                             const std::function<void(const bus::Record&, const DeadLetter&)>& visit) {
  PassedOver passed_over;
  absl::flat_hash_set<std::string> seen;  // places, with their bytes in case that the topic was made anew
  const absl::Status status = ReadTopic(connections.bus, bus::kDeadLetter, {}, [&](const bus::Record& record) {
    DeadLetter letter;
    if (!letter.ParseFromString(record.value)) {
      ++passed_over.unreadable;
    } else if (!seen.insert(absl::StrCat(OriginOf(letter), " ", absl::HashOf(letter.original_value()))).second) {
      ++passed_over.copies;
    } else {
      visit(record, letter);
    }
  });
  if (!status.ok()) return status;
  return passed_over;
}

void PrintLetter(const bus::Record& record, const DeadLetter& letter) {
  mesh::bus::v1::Turn turn;
  const bool is_turn = turn.ParseFromString(letter.original_value()) && turn.turn_id().size() == 32;
  json::Writer json;
  json.BeginObject();
  json.Field("id", CommandName(record));
  json.Field("reason", letter.reason());
  json.Field("detail", letter.detail());
  json.Field("dead_at_ms", letter.dead_at_ms());
  json.Field("service", letter.service());
  json.Field("attempts", letter.attempts());
  json.Field("generation", letter.generation());
  json.Field("origin", OriginOf(letter));
  json.Field("conversation", letter.has_conversation() ? identity::ForLog(letter.conversation()) : "");
  json.Field("message_id", is_turn ? turn.message_id() : "");
  json.Field("bytes", letter.original_value().size());
  json.EndObject();
  std::printf("%s\n", std::move(json).Take().c_str());
}

int List(const Connections& connections) {
  std::size_t count = 0;
  const auto passed_over = ForEachDeadLetter(connections, [&](const bus::Record& record, const DeadLetter& letter) {
    PrintLetter(record, letter);
    ++count;
  });
  if (!passed_over.ok()) return Fail("dead-letter list", passed_over.status());
  std::fprintf(stderr, "%zu dead letters\n", count);
  if (passed_over->copies > 0) std::fprintf(stderr, "%zu copies of them are not shown\n", passed_over->copies);
  if (passed_over->unreadable > 0) {
    std::fprintf(stderr, "%zu records could not be read\n", passed_over->unreadable);
  }
  return 0;
}

struct Found {
  DeadLetter letter;
  bus::Headers headers;
};

// The letters that are wanted: those named, or with no name all (of one reason).
absl::StatusOr<std::map<std::string, Found>> FindLetters(const Connections& connections,
                                                         const std::vector<std::string>& names,
                                                         const std::string& reason) {
  std::map<std::string, Found> found;
  bool too_many = false;
  const auto passed_over = ForEachDeadLetter(connections, [&](const bus::Record& record, const DeadLetter& letter) {
    const std::string name = CommandName(record);
    const bool named = std::ranges::find(names, name) != names.end();
    if (!named && (!names.empty() || (!reason.empty() && letter.reason() != reason))) return;
    too_many |= found.size() >= kRequeueMax;
    if (!too_many) found[name] = {letter, record.headers};
  });
  if (!passed_over.ok()) return passed_over.status();
  if (too_many)
    return absl::OutOfRangeError(absl::StrCat("more than ", kRequeueMax, " letters; narrow them with --reason"));
  return found;
}

// FailedPrecondition says why a reply is better left; what is no reply the worker judges itself.
absl::Status MayBeSaid(session::Client& client, const bus::BusOptions& bus, const DeadLetter& letter) {
  mesh::bus::v1::ReplyRecord record;
  if (letter.origin_topic() != bus::TopicName(bus, bus::kReplies)) return absl::OkStatus();
  if (!record.ParseFromString(letter.original_value()) || !record.has_reply()) return absl::OkStatus();
  mesh::session::v1::GetSessionRequest request;
  *request.mutable_conversation() = record.reply().conversation();
  request.set_turns_max(kHistoryTurnsMax);
  const auto stored = client.GetSession(request, {});
  if (!stored.ok()) {
    return absl::UnavailableError(absl::StrCat("session cannot say whether its user wants it (",
                                               stored.status().message(), "); start it, or --anyway"));
  }
  const std::string against = ReasonAgainstRequeue(record.reply(), *stored);
  if (against.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(against, "; --anyway requeues it all the same"));
}

int Requeue(const Connections& connections, const std::vector<std::string>& names, const std::string& reason,
            bool anyway) {
  const auto letters = FindLetters(connections, names, reason);
  if (!letters.ok()) return Fail("dead-letter requeue", letters.status());
  telemetry::Registry metrics;
  const auto producer = bus::Producer::Create(connections.bus, {}, "meshctl", metrics);
  if (!producer.ok()) return Fail("dead-letter requeue", producer.status());
  const std::unique_ptr<session::Client> client = session::Client::Create(connections.session_target);
  int code = 0;
  for (const std::string& name : names) {
    if (letters->contains(name)) continue;
    code = Fail(absl::StrCat("dead-letter requeue ", name),
                absl::NotFoundError("no such dead letter; see meshctl dead-letter list"));
  }
  for (const auto& [name, found] : *letters) {
    absl::Status status = anyway ? absl::OkStatus() : MayBeSaid(*client, connections.bus, found.letter);
    if (status.ok()) {
      status = WriteRequeued(**producer, name,
                             RequeuedRecord(found.letter, found.headers, connections.bus, base::Clock::Real().WallMs()),
                             found.letter.generation());
    }
    if (!status.ok()) code = Fail(absl::StrCat("dead-letter requeue ", name), status);
  }
  return code;
}

}  // namespace

int RunDeadLetter(int argc, const char* const* argv) {
  Connections connections;
  std::vector<std::string> words;
  std::string reason;
  bool all = false;
  bool anyway = false;
  config::OptionTable table("meshctl dead-letter", "Lists what was given up, or puts it back for another try.");
  table.AllowPositionals(&words, "list | requeue ID...", "What to do; an ID is partition-offset, as list prints it.");
  table.Add("all", &all, {.doc = "requeue: every letter; with --reason, every one with that reason."});
  table.Add("reason", &reason,
            {.doc = "requeue --all: only letters with this reason, as list prints it: deadline, send_failed, ..."});
  table.Add(
      "anyway", &anyway,
      {.doc = "requeue: also replies of which a part was shown, and those to users who want no messages or whom a "
              "person answers."});
  RegisterConnections(table, &connections);
  table.AddExample("meshctl dead-letter list", "one JSON line each");
  table.AddExample("meshctl dead-letter requeue 3-17", "answers that turn after all");
  table.AddExample("meshctl dead-letter requeue --all --reason=deadline", "after an outage");
  if (const std::optional<int> code = ParseCommand(table, argc, argv)) return *code;
  if (words.size() == 1 && words[0] == "list") return List(connections);
  if (!words.empty() && words[0] == "requeue" && all == (words.size() == 1)) {
    return Requeue(connections, {words.begin() + 1, words.end()}, reason, anyway);
  }
  std::fprintf(stderr,
               "meshctl: dead-letter list, or dead-letter requeue ID... | --all; see meshctl dead-letter --help\n");
  return 2;
}

}  // namespace meshctl
