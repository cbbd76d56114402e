#include "libs/bus/internal/gap_repair.h"

#include <string>
#include <utility>

#include "libs/base/check.h"
#include "libs/telemetry/log.h"

namespace bus::internal {

GapRepair::GapRepair(PartitionTable* table, Seek seek) : table_(table), seek_(std::move(seek)) {}

void GapRepair::Try(base::MonotonicTime now) {
  failed_ = false;
  const std::vector<PartitionTable::Gap> gaps = table_->OpenGaps();
  if (gaps.empty()) return;
  const std::vector<absl::Status> results = seek_(gaps);
  CHECK(results.size() == gaps.size());
  for (std::size_t i = 0; i < gaps.size(); ++i) {
    const auto& [partition, offset] = gaps[i];
    if (results[i].ok()) {
      table_->NoteFetchedAgain(gaps[i]);
      telemetry::LogWarning("log_gap_checked",
                            {{"topic", partition.topic}, {"partition", partition.partition}, {"from_offset", offset}});
    } else {
      failed_ = true;
      telemetry::LogError("log_gap_not_checked", {{"topic", partition.topic},
                                                  {"partition", partition.partition},
                                                  {"from_offset", offset},
                                                  {"error", std::string(results[i].message())}});
    }
  }
  retry_at_ = now + kRetryDelay;
}

void GapRepair::Serve(base::MonotonicTime now) {
  if (failed_ && now >= retry_at_) Try(now);
}

}  // namespace bus::internal
