#pragma once

#include <memory>
#include <string_view>

#include "libs/account/account_book.h"
#include "libs/telemetry/metrics.h"

namespace account {

// Exports reload_failures() as <service>_accounts_reload_failures_total, as it is at each export. The registry keeps
// the file from then on: it may be asked while, and after, the service takes its parts down.
void ExportReloadFailures(std::shared_ptr<const AccountFile> file, std::string_view service,
                          telemetry::Registry& registry);

}  // namespace account
