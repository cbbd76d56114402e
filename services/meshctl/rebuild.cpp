#include "services/meshctl/rebuild.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <functional>
#include <future>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "libs/base/clock.h"
#include "libs/bus/group_lag.h"
#include "libs/bus/log_cursor.h"
#include "libs/bus/topics.h"
#include "libs/identity/identity.h"
#include "libs/ledger/ledger_reading.h"
#include "services/meshctl/history_join.h"
#include "services/meshctl/ledger_outcomes.h"
#include "services/meshctl/session_calls.h"

namespace meshctl {
namespace {

constexpr auto kReadPatience = std::chrono::seconds(60);
constexpr auto kCallPatience = std::chrono::seconds(60);
constexpr auto kProgressInterval = std::chrono::seconds(2);
// Clocks of the processes that wrote the three topics differ by less, so a turn is read before its reply, and a reply
// before what became of it. Where they differ by more nothing breaks: an outcome waits in session for its turn.
constexpr std::int64_t kClockSkewMs = 60'000;
// Of one reply in the ledger that has come to its end, with its ids in the maps.
constexpr std::size_t kLedgerTurnBytes = 1536;

base::MonotonicTime Now() { return base::Clock::Real().Now(); }

absl::Status LinkAndWait(session::Client* client, const mesh::session::v1::LinkIdentityRequest& link) {
  std::promise<absl::Status> answered;
  client->LinkIdentity(link, {}, [&](const auto& response) { answered.set_value(response.status()); });
  return answered.get_future().get();
}

// Before any text is brought back, so that it goes to the conversation that has it now. Oldest first, from whichever
// partition: a later change must find the earlier one.
absl::Status RepeatLinks(session::Client* client, std::vector<mesh::session::v1::LinkIdentityRequest> links,
                         RebuildResult* result) {
  std::ranges::stable_sort(links, {}, [](const auto& link) { return link.changed_at_ms(); });
  for (const mesh::session::v1::LinkIdentityRequest& link : links) {
    const absl::Status status = UntilAnswered([&] { return LinkAndWait(client, link); }, kCallPatience);
    if (absl::IsInvalidArgument(status)) {
      ++result->refused;
    } else if (!status.ok()) {
      return status;
    } else {
      ++result->links;
    }
  }
  return absl::OkStatus();
}

class PartitionRebuild {
 public:
  PartitionRebuild(const RebuildOptions& options, session::Client* client, SessionCalls* calls, std::int32_t partition)
      : options_(options),
        client_(client),
        calls_(calls),
        partition_(partition),
        // Half the memory for each of the two joins.
        join_(static_cast<std::size_t>(options.memory_mb) << 19),
        outcomes_((static_cast<std::size_t>(options.memory_mb) << 19) / kLedgerTurnBytes) {}

  // First, for all partitions: what was deleted, and who has become whom.
  absl::Status Learn() {
    absl::StatusOr<CursorPtr> turns = Open(bus::kTurns);
    if (!turns.ok()) return turns.status();
    while (true) {
      const auto record = (*turns)->Peek(Now() + kReadPatience);
      if (!record.ok()) return record.status();
      if (*record == nullptr) return absl::OkStatus();
      join_.Learn(**record);
      (*turns)->Pop();
    }
  }
  const std::vector<mesh::session::v1::LinkIdentityRequest>& links() const { return join_.links(); }

  absl::Status Run(RebuildResult* result, const std::function<void(double fraction)>& progress) {
    if (absl::Status status = RepeatDeletions(); !status.ok()) return status;
    if (absl::Status status = RepeatUnsends(); !status.ok()) return status;
    if (absl::Status status = ReplayAll(progress); !status.ok()) return status;
    if (absl::Status status = calls_->Drain(); !status.ok()) return status;
    result->deletions += static_cast<std::int64_t>(join_.deletions().size());
    result->unjoined += join_.unjoined();
    return absl::OkStatus();
  }

 private:
  using CursorPtr = std::unique_ptr<bus::LogCursor>;

  absl::StatusOr<CursorPtr> Open(std::string_view topic) const {
    return bus::LogCursor::Open(options_.bus, "meshctl", {bus::TopicName(options_.bus, topic), partition_},
                                options_.from_ms, Now() + kReadPatience);
  }

  // Before any text is brought back: from here on session refuses what was deleted, whoever brings it.
  absl::Status RepeatDeletions() {
    for (const auto& [key, deletion] : join_.deletions()) {
      if (deletion.turns_offset == 0) continue;  // nothing stands before it
      mesh::session::v1::ForgetRequest request;
      *request.mutable_conversation() = deletion.conversation;
      request.set_turns_offset(deletion.turns_offset);
      const absl::Status status = UntilAnswered([&] { return client_->Forget(request, {}).status(); }, kCallPatience);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  // Likewise; also for messages that are not answered yet.
  absl::Status RepeatUnsends() {
    for (const auto& [key, unsends] : join_.unsends()) {
      for (const mesh::session::v1::UnsendRequest& unsend : unsends) {
        if (absl::Status status = calls_->Unsend(key, unsend); !status.ok()) return status;
      }
    }
    return calls_->Drain();
  }

  // The three topics side by side, by the time at which their records were written.
  absl::Status ReplayAll(const std::function<void(double fraction)>& progress) {
    std::array<CursorPtr, 3> cursors;
    constexpr std::array<std::string_view, 3> kTopics = {bus::kTurns, bus::kReplies, bus::kSendLedger};
    for (std::size_t i = 0; i < cursors.size(); ++i) {
      absl::StatusOr<CursorPtr> cursor = Open(kTopics[i]);
      if (!cursor.ok()) return cursor.status();
      cursors[i] = *std::move(cursor);
    }
    while (true) {
      std::size_t next = cursors.size();
      std::int64_t next_at_ms = std::numeric_limits<std::int64_t>::max();
      const bus::Record* next_record = nullptr;
      for (std::size_t i = 0; i < cursors.size(); ++i) {
        const auto record = cursors[i]->Peek(Now() + kReadPatience);
        if (!record.ok()) return record.status();
        if (*record == nullptr) continue;
        const std::int64_t at_ms = (*record)->timestamp_ms + (static_cast<std::int64_t>(i) - 1) * kClockSkewMs;
        if (next_record != nullptr && at_ms >= next_at_ms) continue;
        next = i;
        next_at_ms = at_ms;
        next_record = *record;
      }
      if (next_record == nullptr) return absl::OkStatus();
      if (absl::Status status = Replay(next, *next_record); !status.ok()) return status;
      cursors[next]->Pop();
      progress(Fraction(cursors));
    }
  }

  absl::Status Replay(std::size_t topic, const bus::Record& record) {
    if (topic == 0) {
      std::optional<HistoryJoin::Call> call = join_.OnTurn(record);
      if (!call) return absl::OkStatus();
      return calls_->SetControl(record.key, std::get<mesh::session::v1::SetControlRequest>(std::move(*call)));
    }
    if (topic == 1) {
      std::optional<HistoryJoin::Call> call = join_.OnReply(record);
      if (!call) return absl::OkStatus();
      if (auto* turn = std::get_if<mesh::session::v1::AppendTurnRequest>(&*call)) {
        return calls_->Append(record.key, std::move(*turn));
      }
      return calls_->SetOutcome(record.key, std::get<mesh::session::v1::SetOutcomeRequest>(std::move(*call)));
    }
    const auto entry = ledger::DecodeLedgerRecord(record);
    if (!entry.ok()) return absl::OkStatus();
    std::optional<mesh::session::v1::SetOutcomeRequest> report = outcomes_.Apply(record.offset, *entry);
    if (!report) return absl::OkStatus();
    const std::string key = identity::KeyOf(report->conversation()).value();
    return calls_->SetOutcome(key, *std::move(report));
  }

  static double Fraction(const std::array<CursorPtr, 3>& cursors) {
    std::int64_t read = 0;
    std::int64_t all = 0;
    for (const CursorPtr& cursor : cursors) {
      read += cursor->next() - cursor->first();
      all += cursor->end() - cursor->first();
    }
    return all == 0 ? 1 : static_cast<double>(read) / static_cast<double>(all);
  }

  const RebuildOptions& options_;
  session::Client* const client_;
  SessionCalls* const calls_;
  const std::int32_t partition_;
  HistoryJoin join_;
  LedgerOutcomes outcomes_;
};

}  // namespace

absl::Status Rebuild(const RebuildOptions& options, session::Client* client, RebuildResult* result) {
  const auto partitions =
      bus::PartitionsOf(options.bus, bus::TopicName(options.bus, bus::kTurns), Now() + kReadPatience);
  if (!partitions.ok()) return partitions.status();
  SessionCalls calls(client, static_cast<std::size_t>(options.calls_max), kCallPatience);
  std::vector<std::unique_ptr<PartitionRebuild>> rebuilds;
  std::vector<mesh::session::v1::LinkIdentityRequest> links;
  for (const bus::TopicPartition& partition : *partitions) {
    rebuilds.push_back(std::make_unique<PartitionRebuild>(options, client, &calls, partition.partition));
    if (absl::Status status = rebuilds.back()->Learn(); !status.ok()) return status;
    links.insert(links.end(), rebuilds.back()->links().begin(), rebuilds.back()->links().end());
  }
  absl::Status status = RepeatLinks(client, std::move(links), result);
  base::MonotonicTime told_at = Now();
  for (std::size_t i = 0; i < rebuilds.size() && status.ok(); ++i) {
    status = rebuilds[i]->Run(result, [&](double fraction) {
      if (!options.progress || Now() - told_at < kProgressInterval) return;
      told_at = Now();
      std::fprintf(stderr, "partition %zu of %zu: %3.0f %%, %lld turns, %lld outcomes so far\n", i + 1, rebuilds.size(),
                   100 * fraction, static_cast<long long>(calls.appended()), static_cast<long long>(calls.outcomes()));
    });
    rebuilds[i].reset();  // with all that it remembered
  }
  result->turns = calls.appended();
  result->outcomes = calls.outcomes();
  result->unsent = calls.unsent();
  result->controls = calls.controls();
  result->refused += calls.refused();
  return status;
}

std::optional<std::int64_t> ParseFrom(std::string_view text, std::int64_t now_ms) {
  if (text == "beginning") return 0;
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error == std::errc() && end + 1 == text.data() + text.size() && count > 0 && count < 1'000'000) {
    const std::int64_t unit_ms = *end == 'm' ? 60'000 : *end == 'h' ? 3'600'000 : *end == 'd' ? 86'400'000 : 0;
    if (unit_ms > 0) return std::max<std::int64_t>(now_ms - count * unit_ms, 1);
  }
  absl::Time time;
  std::string reason;
  if (!absl::ParseTime(absl::RFC3339_full, absl::string_view(text.data(), text.size()), &time, &reason)) {
    return std::nullopt;
  }
  return std::max<std::int64_t>(absl::ToUnixMillis(time), 1);
}

}  // namespace meshctl
