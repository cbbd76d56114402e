#include "libs/account/reload_failures.h"

#include <utility>

#include "libs/base/str_cat.h"

namespace account {

void ExportReloadFailures(std::shared_ptr<const AccountFile> file, std::string_view service,
                          telemetry::Registry& registry) {
  const telemetry::Counter failures =
      registry.AddCounter(base::StrCat(service, "_accounts_reload_failures_total"),
                          "Times the changed accounts file could not be used; the old one stays.");
  registry.AddRefresh([file = std::move(file), failures] {
    failures.Increment(static_cast<double>(file->reload_failures()) - failures.Value());
  });
}

}  // namespace account
