#include "services/worker/reply_log.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <unordered_map>
#include <utility>

#include "libs/base/clock.h"
#include "libs/bus/log_cursor.h"
#include "libs/bus/topics.h"

namespace worker {
namespace {

constexpr base::Duration kReadTimeMax = std::chrono::seconds(20);

const std::string& TurnOf(const mesh::bus::v1::ReplyRecord& record) {
  return record.has_supersede() ? record.supersede().turn_id() : record.reply().turn_id();
}

// A withdrawal is of all generations; a fallback stands beside what was said.
bool Counts(const mesh::bus::v1::ReplyRecord& record, std::uint32_t generation) {
  if (record.has_supersede()) return true;
  return record.reply().generation() == generation && record.reply().kind() != mesh::bus::v1::REPLY_KIND_FALLBACK;
}

}  // namespace

KafkaReplyLog::KafkaReplyLog(bus::BusOptions bus) : bus_(std::move(bus)), thread_([this] { Serve(); }) {}

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
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !asked_.empty(); });
    if (ending_) return;
    std::vector<Asked> together;
    const std::int32_t partition = asked_.front().query.partition;
    std::erase_if(asked_, [&](Asked& asked) {
      if (asked.query.partition != partition) return false;
      together.push_back(std::move(asked));
      return true;
    });
    lock.unlock();
    const absl::Status status = Read(together);
    for (Asked& asked : together) {
      if (status.ok() || asked.first) {
        asked.on_found(std::move(asked.first));
      } else {
        asked.on_found(status);
      }
    }
    together.clear();
    lock.lock();
  }
}

absl::Status KafkaReplyLog::Read(std::vector<Asked>& asked) const {
  const base::MonotonicTime deadline = base::Clock::Real().Now() + kReadTimeMax;
  std::int64_t from_ms = asked.front().query.from_ms;
  std::int64_t end = 0;
  std::unordered_multimap<std::string, Asked*> by_turn;
  for (Asked& one : asked) {
    from_ms = std::min(from_ms, one.query.from_ms);
    end = std::max(end, one.query.before_offset);
    by_turn.emplace(one.query.turn_id, &one);
  }
  const bus::TopicPartition partition{bus::TopicName(bus_, bus::kReplies), asked.front().query.partition};
  absl::StatusOr<std::unique_ptr<bus::LogCursor>> cursor =
      bus::LogCursor::Open(bus_, "worker", partition, from_ms, deadline);
  if (!cursor.ok()) return cursor.status();
  while (true) {
    const absl::StatusOr<const bus::Record*> record = (*cursor)->Peek(deadline);
    if (!record.ok()) return record.status();
    if (*record == nullptr || (*record)->offset >= end) return absl::OkStatus();
    FirstReply first{.record = {}, .offset = (*record)->offset};
    if (first.record.ParseFromString((*record)->value)) {
      const auto [begin, past] = by_turn.equal_range(TurnOf(first.record));
      for (auto one = begin; one != past; ++one) {
        Asked& asked_for = *one->second;
        if (asked_for.first || first.offset >= asked_for.query.before_offset) continue;
        if (Counts(first.record, asked_for.query.generation)) asked_for.first = first;
      }
    }
    (*cursor)->Pop();
  }
}

}  // namespace worker
