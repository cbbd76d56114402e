#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libs/bus/record.h"
#include "proto/bus/v1/bus.pb.h"
#include "tests/sim/timeline.h"

namespace sim {

enum class Topic { kTurns, kReplies, kStatuses, kParked, kCount };
inline constexpr std::size_t kTopics = static_cast<std::size_t>(Topic::kCount);

// The topics that are consumed in groups, `parked`, and the ledger, which every sender reads whole. Ledger records are
// kept as messages: their bytes are tested elsewhere.
class FakeLog {
 public:
  struct LedgerRow {
    std::shared_ptr<const mesh::bus::v1::LedgerRecord> record;
    const Process* writer = nullptr;
  };

  explicit FakeLog(int partitions);

  std::int64_t Append(Topic topic, int partition, bus::Record record);
  std::int64_t AppendLedger(int partition, std::shared_ptr<const mesh::bus::v1::LedgerRecord> record,
                            const Process* writer);

  int partitions() const { return static_cast<int>(ledger_.size()); }
  const std::vector<bus::Record>& records(Topic topic, int partition) const {
    return topics_[static_cast<std::size_t>(topic)][static_cast<std::size_t>(partition)];
  }
  std::int64_t End(Topic topic, int partition) const {
    return static_cast<std::int64_t>(records(topic, partition).size());
  }
  const std::vector<LedgerRow>& ledger(int partition) const { return ledger_[static_cast<std::size_t>(partition)]; }

  // Woken after each append. Readers live as long as the log.
  void OnAppend(Topic topic, std::function<void(int partition)> wake) {
    wake_[static_cast<std::size_t>(topic)].push_back(std::move(wake));
  }
  void OnLedgerAppend(std::function<void(int partition)> wake) { wake_ledger_.push_back(std::move(wake)); }

 private:
  std::array<std::vector<std::vector<bus::Record>>, kTopics> topics_;
  std::vector<std::vector<LedgerRow>> ledger_;
  std::array<std::vector<std::function<void(int)>>, kTopics> wake_;
  std::vector<std::function<void(int)>> wake_ledger_;
};

std::string_view NameOf(Topic topic);

}  // namespace sim
