#include "libs/account/reload_failures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>

namespace account {
namespace {

using testing::HasSubstr;

class FailingFile final : public AccountFile {
 public:
  std::shared_ptr<const AccountBook> current() const override { return nullptr; }
  std::int64_t reload_failures() const override { return failures; }
  std::int64_t failures = 0;
};

TEST(ReloadFailuresTest, EachExportSaysHowManyThereWereSoFar) {
  telemetry::Registry registry;
  auto file = std::make_shared<FailingFile>();
  ExportReloadFailures(file, "gateway", registry);
  EXPECT_THAT(registry.ToPrometheusText(), HasSubstr("\ngateway_accounts_reload_failures_total 0\n"));
  file->failures = 3;
  EXPECT_THAT(registry.ToPrometheusText(), HasSubstr("\ngateway_accounts_reload_failures_total 3\n"));
  EXPECT_THAT(registry.ToPrometheusText(), HasSubstr("\ngateway_accounts_reload_failures_total 3\n"));
}

TEST(ReloadFailuresTest, TheFileLivesAsLongAsItMayBeAsked) {
  telemetry::Registry registry;
  auto file = std::make_shared<FailingFile>();
  file->failures = 1;
  const std::weak_ptr<FailingFile> watched = file;
  ExportReloadFailures(std::move(file), "sender", registry);
  ASSERT_FALSE(watched.expired());
  EXPECT_THAT(registry.ToPrometheusText(), HasSubstr("\nsender_accounts_reload_failures_total 1\n"));
}

}  // namespace
}  // namespace account
