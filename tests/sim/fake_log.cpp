#include "tests/sim/fake_log.h"

namespace sim {

FakeLog::FakeLog(int partitions) : ledger_(static_cast<std::size_t>(partitions)) {
  for (auto& topic : topics_) topic.resize(static_cast<std::size_t>(partitions));
}

std::int64_t FakeLog::Append(Topic topic, int partition, bus::Record record) {
  auto& records = topics_[static_cast<std::size_t>(topic)][static_cast<std::size_t>(partition)];
  record.topic = NameOf(topic);
  record.partition = partition;
  record.offset = static_cast<std::int64_t>(records.size());
  const std::int64_t offset = record.offset;
  records.push_back(std::move(record));
  for (const auto& wake : wake_[static_cast<std::size_t>(topic)]) wake(partition);
  return offset;
}

std::int64_t FakeLog::AppendLedger(int partition, std::shared_ptr<const mesh::bus::v1::LedgerRecord> record,
                                   const Process* writer) {
  auto& rows = ledger_[static_cast<std::size_t>(partition)];
  rows.push_back({std::move(record), writer});
  const auto offset = static_cast<std::int64_t>(rows.size()) - 1;
  for (const auto& wake : wake_ledger_) wake(partition);
  return offset;
}

std::string_view NameOf(Topic topic) {
  switch (topic) {
    case Topic::kTurns:
      return "turns";
    case Topic::kReplies:
      return "replies";
    case Topic::kStatuses:
      return "statuses";
    case Topic::kParked:
      return "parked";
    case Topic::kCount:
      break;
  }
  return "?";
}

}  // namespace sim
