#include "services/worker/reply_log.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "libs/bus/topics.h"
#include "libs/records/reply_record.h"

namespace worker {
namespace {

// A withdrawal is of all generations; a fallback stands beside what was said.
bool Counts(const mesh::bus::v1::ReplyRecord& record, std::uint32_t generation) {
  if (record.has_supersede()) return true;
  return record.reply().generation() == generation && record.reply().kind() != mesh::bus::v1::REPLY_KIND_FALLBACK;
}

}  // namespace

KafkaReplyLog::KafkaReplyLog(const bus::BusOptions& bus)
    : KafkaReplyLog(
          [bus](std::int32_t partition, std::int64_t from_ms, base::MonotonicTime deadline) {
            return bus::LogCursor::Open(bus, "worker", {bus::TopicName(bus, bus::kReplies), partition}, from_ms,
                                        deadline);
          },
          Times{}) {}

KafkaReplyLog::KafkaReplyLog(OpenCursor open_cursor, const Times& times)
    : open_cursor_(std::move(open_cursor)), times_(times), thread_([this] { Serve(); }) {}

KafkaReplyLog::~KafkaReplyLog() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void KafkaReplyLog::FindFirst(ReplyQuery query, Callback on_found) {
  {
    std::lock_guard lock(mutex_);
    asked_.push_back({.query = std::move(query), .on_found = std::move(on_found), .first = {}});
  }
  changed_.notify_all();
}

void KafkaReplyLog::Serve() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return ending_ || !asked_.empty() || !readings_.empty(); });
      if (ending_) return;
      TakeQueries();
    }
    Reading& reading = readings_.front();
    absl::Status status;
    if (!ReadSlice(reading, &status)) {
      readings_.splice(readings_.end(), readings_, readings_.begin());
      continue;
    }
    for (Asked& asked : reading.asked) {
      if (status.ok() || asked.first) {
        asked.on_found(std::move(asked.first));
      } else {
        asked.on_found(status);
      }
    }
    readings_.pop_front();
  }
}

// A reading that has begun may be past what a new query is about, so that one waits for its end.
void KafkaReplyLog::TakeQueries() {
  std::erase_if(asked_, [this](Asked& asked) {
    auto reading = std::find_if(readings_.begin(), readings_.end(),
                                [&](const Reading& one) { return one.partition == asked.query.partition; });
    if (reading == readings_.end()) {
      reading = readings_.insert(readings_.end(), Reading{});
      reading->partition = asked.query.partition;
      reading->began_at = reading->moved_at = base::Clock::Real().Now();
    }
    if (reading->cursor != nullptr) return false;
    reading->before_offset = std::max(reading->before_offset, asked.query.before_offset);
    reading->by_turn.emplace(asked.query.turn_id, reading->asked.size());
    reading->asked.push_back(std::move(asked));
    return true;
  });
}

bool KafkaReplyLog::ReadSlice(Reading& reading, absl::Status* status) const {
  const base::MonotonicTime deadline = base::Clock::Real().Now() + times_.slice;
  if (reading.cursor == nullptr) {
    std::int64_t from_ms = reading.asked.front().query.from_ms;
    for (const Asked& asked : reading.asked) from_ms = std::min(from_ms, asked.query.from_ms);
    absl::StatusOr<std::unique_ptr<bus::LogCursor>> cursor =
        open_cursor_(reading.partition, from_ms, reading.began_at + times_.quiet_max);
    *status = cursor.status();
    if (!cursor.ok()) return true;
    reading.cursor = *std::move(cursor);
  }
  while (base::Clock::Real().Now() < deadline) {
    const absl::StatusOr<const bus::Record*> record = reading.cursor->Peek(deadline);
    const base::MonotonicTime now = base::Clock::Real().Now();
    if (!record.ok()) {
      *status = record.status();
      return now - reading.moved_at >= times_.quiet_max;
    }
    if (*record == nullptr || (*record)->offset >= reading.before_offset) return true;
    reading.moved_at = now;
    if (now - reading.began_at >= times_.total_max) {
      *status = absl::DeadlineExceededError("what was said is not read to its end");
      return true;
    }
    Look(**record, reading);
    reading.cursor->Pop();
  }
  return false;
}

void KafkaReplyLog::Look(const bus::Record& record, Reading& reading) {
  auto decoded = records::DecodeReply(record);
  if (!decoded.ok()) return;  // senders do not take it either
  const FirstReply first{.record = *std::move(decoded), .offset = record.offset};
  const auto [begin, past] = reading.by_turn.equal_range(records::TurnIdOf(first.record));
  for (auto one = begin; one != past; ++one) {
    Asked& asked_for = reading.asked[one->second];
    if (asked_for.first || first.offset >= asked_for.query.before_offset) continue;
    if (Counts(first.record, asked_for.query.generation)) asked_for.first = first;
  }
}

}  // namespace worker
