#include "libs/bus/log_cursor.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "libs/base/check.h"
#include "libs/base/str_cat.h"
#include "libs/bus/internal/log_client.h"

namespace bus {
namespace {

constexpr int kPollTimeoutMs = 50;
constexpr int kOffsetsTimeoutMs = 10'000;

// The first offset written at or after `from_ms`; `end` when there is none.
absl::StatusOr<std::int64_t> OffsetAt(rd_kafka_t* client, const TopicPartition& partition, std::int64_t from_ms,
                                      std::int64_t end, base::MonotonicTime deadline) {
  const internal::PartitionListPtr list = internal::ListOf(partition, from_ms);
  const rd_kafka_resp_err_t error =
      rd_kafka_offsets_for_times(client, list.get(), internal::TimeoutMs(deadline, kOffsetsTimeoutMs));
  const rd_kafka_resp_err_t code = error != RD_KAFKA_RESP_ERR_NO_ERROR ? error : list->elems[0].err;
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return internal::ToStatus(code, base::StrCat("offset by time of ", partition.topic, "/", partition.partition));
  }
  return list->elems[0].offset < 0 ? end : list->elems[0].offset;
}

class KafkaLogCursor final : public LogCursor {
 public:
  KafkaLogCursor(internal::ClientPtr client, TopicPartition partition, std::int64_t first, std::int64_t end)
      : client_(std::move(client)), partition_(std::move(partition)), first_(first), next_(first), end_(end) {}

  absl::StatusOr<const Record*> Peek(base::MonotonicTime deadline) override {
    while (!record_ && next_ < end_) {
      const internal::MessagePtr message(
          rd_kafka_consumer_poll(client_.get(), internal::TimeoutMs(deadline, kPollTimeoutMs)));
      if (message != nullptr && message->rkt != nullptr) {
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) next_ = end_;  // its last offsets were compacted away
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR && message->offset >= next_) {
          if (message->offset < end_) {
            record_ = internal::ToRecord(*message);
          } else {
            next_ = end_;
          }
        }
      }
      if (record_ || next_ >= end_) break;
      if (base::Clock::Real().Now() >= deadline) {
        return absl::UnavailableError(
            base::StrCat(partition_.topic, "/", partition_.partition, ": nothing read of offset ", next_, " in time"));
      }
    }
    return record_ ? &*record_ : nullptr;
  }

  void Pop() override {
    CHECK(record_.has_value());
    next_ = record_->offset + 1;
    record_.reset();
  }

  std::int64_t first() const override { return first_; }
  std::int64_t next() const override { return next_; }
  std::int64_t end() const override { return end_; }

 private:
  const internal::ClientPtr client_;
  const TopicPartition partition_;
  const std::int64_t first_;
  std::int64_t next_;
  const std::int64_t end_;
  std::optional<Record> record_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<LogCursor>> LogCursor::Open(const BusOptions& bus, std::string_view service,
                                                           const TopicPartition& partition, std::int64_t from_ms,
                                                           base::MonotonicTime deadline) {
  absl::StatusOr<internal::ClientPtr> client = internal::OpenLogClient(bus, service, nullptr);
  if (!client.ok()) return client.status();
  const auto marks = internal::QueryWatermarks(client->get(), partition, deadline);
  if (!marks.ok()) return marks.status();
  std::int64_t first = marks->low;
  if (from_ms > 0) {
    const auto offset = OffsetAt(client->get(), partition, from_ms, marks->high, deadline);
    if (!offset.ok()) return offset.status();
    first = std::max(first, *offset);
  }
  if (first < marks->high) {
    absl::Status status = internal::AssignFrom(client->get(), partition, first);
    if (!status.ok()) return status;
  }
  return std::make_unique<KafkaLogCursor>(*std::move(client), partition, first, marks->high);
}

}  // namespace bus
