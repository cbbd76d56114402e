#include "libs/base/str_cat.h"
#include "libs/session/store.h"

namespace session {

void RegisterStoreOptions(config::OptionTable& table, StoreOptions* options) {
  table.Add("history-turns-max", &options->history_turns_max,
            {.doc = "Turns kept of a conversation; the oldest go first.", .unit = "turns", .min = 1, .max = 1000});
  table.Add("history-bytes-max", &options->history_bytes_max,
            {.doc = "Bytes kept of a conversation's turns; the oldest go first, the newest always stays.",
             .unit = "bytes",
             .min = 1024,
             .max = 4 << 20});
  table.Add(
      "history-ttl-days", &options->history_ttl_days,
      {.doc = "History is deleted this long after a conversation's last turn.", .unit = "days", .min = 1, .max = 3650});
  table.Add(
      "done-shards", &options->done_shards,
      {.doc =
           "Groups over which the ids of finished turns are spread, a power of two. Best is the number of turns in 8 "
           "days divided by 1000. A change forgets once which turns are finished.",
       .unit = "groups",
       .min = 1024,
       .max = 1 << 24});
}

absl::Status ValidateStoreOptions(const StoreOptions& options) {
  if (options.done_shards <= 0 || (options.done_shards & (options.done_shards - 1)) != 0) {
    return absl::InvalidArgumentError(base::StrCat("--done-shards must be a power of two, got ", options.done_shards));
  }
  return absl::OkStatus();
}

}  // namespace session
