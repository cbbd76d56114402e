#include "services/exporter/account_poller.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "tests/fakes/fake_clock.h"
#include "tests/libs/graph/scripted_graph.h"

// The poller against a scripted Graph API and a clock that stands still.
namespace exporter {
namespace {

using account::Account;
using account::AccountBook;
using mesh::bus::v1::CHANNEL_INSTAGRAM;
using mesh::bus::v1::CHANNEL_MESSENGER;
using mesh::bus::v1::CHANNEL_WEB;
using mesh::bus::v1::CHANNEL_WHATSAPP;
using std::chrono::hours;
using std::chrono::minutes;

Account Number(std::string id = "1065", std::string waba = "900") {
  Account account = graph::AccountOf(CHANNEL_WHATSAPP);
  account.account_id = std::move(id);
  account.waba_id = std::move(waba);
  return account;
}

Account Page() {
  Account account = graph::AccountOf(CHANNEL_MESSENGER);
  account.account_id = "2001";
  return account;
}

class AccountPollerTest : public testing::Test {
 protected:
  AccountPollerTest() {
    graph_.Answer("GET debug_token", 200,
                  R"({"data":{"app_id":"42","is_valid":true,"expires_at":1700600000,"data_access_expires_at":0}})");
    graph_.Answer("GET 1065", 200,
                  R"({"id":"1065","quality_rating":"YELLOW","status":"CONNECTED","messaging_limit_tier":"TIER_2K"})");
    graph_.Answer("GET 900/subscribed_apps", 200, R"({"data":[{"whatsapp_business_api_data":{"id":"42"}}]})");
    graph_.Answer("GET 2001", 200, R"({"id":"2001"})");
    graph_.Answer("GET 2001/subscribed_apps", 200,
                  R"({"data":[{"id":"42","subscribed_fields":["messages","messaging_postbacks","feed"]}]})");
  }

  void Round(std::vector<Account> accounts) { poller_.Round(AccountBook(std::move(accounts))); }

  // A figure of the WhatsApp number or the page; -1 when its series is not there.
  double Figure(const std::string& name, const std::string& channel = "whatsapp",
                const std::string& id = "1065") const {
    return Metric("exporter_account_" + name + "{account=\"" + id + "\",channel=\"" + channel + "\"}");
  }
  double Failures(const std::string& reason) const {
    return Metric("exporter_account_poll_failures_total{reason=\"" + reason + "\"}");
  }
  double Metric(const std::string& series) const {
    const std::string text = "\n" + registry_.ToPrometheusText();
    const std::size_t at = text.find("\n" + series + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + series.size() + 2));
  }

  graph::ScriptedGraph graph_;
  fakes::FakeClock clock_{1'700'000'000'000};
  telemetry::Registry registry_;
  AccountMetrics metrics_{registry_, minutes(10)};
  bool goes_on_ = true;
  AccountPoller poller_{
      {.send = graph_.send(), .pause = [this] { return goes_on_; }, .clock = &clock_, .metrics = &metrics_}};
};

TEST_F(AccountPollerTest, ANumberTellsTokenQualityLimitStateAndSubscription) {
  Round({Number()});
  EXPECT_EQ(Figure("up"), 1);
  EXPECT_EQ(Figure("token_valid"), 1);
  EXPECT_EQ(Figure("token_expiry_timestamp_seconds"), 1'700'600'000);
  EXPECT_TRUE(std::isinf(Figure("data_access_expiry_timestamp_seconds"))) << "never";
  EXPECT_EQ(Figure("quality"), 2);
  EXPECT_EQ(Figure("state"), 1);
  EXPECT_EQ(Figure("messaging_limit_users"), 2000);
  EXPECT_EQ(Figure("subscribed"), 1);
  EXPECT_EQ(Figure("last_success_timestamp_seconds"), 1'700'000'000);
  EXPECT_EQ(graph_.requests().size(), 3u);
  EXPECT_EQ(graph_.CountOf("POST", ""), 0u);
}

TEST_F(AccountPollerTest, OtherChannelsTellWhatTheyHaveAndOnlyMetaIsAsked) {
  Account web = graph::AccountOf(CHANNEL_WEB);
  Account login = graph::AccountOf(CHANNEL_INSTAGRAM);
  login.login = "instagram";
  login.account_id = "3001";
  graph_.Answer("GET me", 200, R"({"user_id":"3001","id":"26001"})");
  graph_.Answer("GET 3001/subscribed_apps", 200,
                R"({"data":[{"id":"9","subscribed_fields":["messages","messaging_postbacks"]}]})");
  Round({web, Page(), login});
  EXPECT_EQ(Figure("subscribed", "messenger", "2001"), 1);
  EXPECT_EQ(Figure("quality", "messenger", "2001"), -1) << "a page has none";
  EXPECT_EQ(Figure("up", "instagram", "3001"), 1);
  EXPECT_EQ(Figure("token_valid", "instagram", "3001"), 1) << "it answered";
  EXPECT_EQ(Figure("token_expiry_timestamp_seconds", "instagram", "3001"), -1) << "nobody says";
  EXPECT_EQ(graph_.requests().size(), 5u);
}

TEST_F(AccountPollerTest, TheFileOfATokenWhoseEndNobodyTellsHasAnAge) {
  Account login = graph::AccountOf(CHANNEL_INSTAGRAM);
  login.login = "instagram";
  login.account_id = "3001";
  login.access_token_written_s = 1'700'000'000 - 86'400;
  Account page = Page();
  page.access_token_written_s = login.access_token_written_s;
  Round({login, page});
  EXPECT_EQ(Figure("token_file_age_seconds", "instagram", "3001"), 86'400) << "though its API is away";
  EXPECT_EQ(Figure("token_file_age_seconds", "messenger", "2001"), -1) << "Meta tells when that one ends";
}

TEST_F(AccountPollerTest, ADeadTokenFallsAtOnceAndIsAskedNothingMore) {
  Round({Number()});
  graph_.Forget("GET debug_token");
  graph_.Refuse("GET debug_token", 190, 463);
  clock_.Advance(minutes(10));
  Round({Number()});
  EXPECT_EQ(Figure("token_valid"), 0);
  EXPECT_EQ(Figure("up"), 0);
  EXPECT_EQ(Figure("last_success_timestamp_seconds"), 1'700'000'000);
  EXPECT_EQ(Figure("subscribed"), 1) << "the last that is known stays";
  EXPECT_EQ(Failures("token"), 1);
  EXPECT_EQ(graph_.requests().size(), 4u);
}

TEST_F(AccountPollerTest, ATokenThatMetaDoesNotExplainIsJudgedByWhatItMayDo) {
  graph_.Forget("GET debug_token");
  graph_.Refuse("GET debug_token", 100);
  Round({Number()});
  EXPECT_EQ(Figure("up"), 1);
  EXPECT_EQ(Figure("token_valid"), 1);
  EXPECT_EQ(Figure("token_expiry_timestamp_seconds"), -1);
  EXPECT_EQ(Figure("subscribed"), 1) << "which app is ours is not known: any counts";
}

TEST_F(AccountPollerTest, AnUnreachableApiSaysNothingOfTheTokenAndIsAskedOnceARound) {
  Round({Number()});
  for (const char* path : {"GET debug_token", "GET 1065"}) graph_.Forget(path);
  clock_.Advance(minutes(10));
  const std::size_t before = graph_.requests().size();
  Round({Number(), Number("1066"), Number("1067")});
  EXPECT_EQ(graph_.requests().size(), before + 1);
  EXPECT_EQ(Figure("token_valid"), 1) << "as it was";
  EXPECT_EQ(Figure("up"), 0);
  EXPECT_EQ(Figure("up", "whatsapp", "1067"), 0);
  EXPECT_EQ(Failures("unreachable"), 3);
}

TEST_F(AccountPollerTest, AnAccountThatNeverAnsweredIsLateFromWhenItWasFirstSeen) {
  graph_.Forget("GET debug_token");
  Round({Number()});
  clock_.Advance(hours(1));
  Round({Number()});
  EXPECT_EQ(Figure("last_success_timestamp_seconds"), 1'700'000'000);
}

TEST_F(AccountPollerTest, AFieldThatTheVersionLacksCostsThatFieldAlone) {
  graph_.Forget("GET 1065");
  graph_.Refuse("GET 1065", 100);
  graph_.Answer("GET 1065", 200, R"({"id":"1065","quality_rating":"GREEN","status":"FLAGGED"})");
  Round({Number()});
  EXPECT_EQ(Figure("up"), 1);
  EXPECT_EQ(Figure("quality"), 1);
  EXPECT_EQ(Figure("state"), 2);
  const std::size_t calls = graph_.requests().size();
  Round({Number()});
  EXPECT_EQ(graph_.requests().size(), calls + 3) << "what was answered is asked first from then on";
}

TEST_F(AccountPollerTest, AWrongIdIsNoSuccess) {
  graph_.Forget("GET 1065");
  graph_.Answer("GET 1065", 200, R"({"id":"999"})");
  Round({Number()});
  EXPECT_EQ(Figure("up"), 0);
  EXPECT_EQ(Failures("answer"), 1);
  graph_.Forget("GET 1065");
  graph_.Refuse("GET 1065", 100, 33);
  Round({Number()});
  EXPECT_EQ(Failures("unknown_id"), 1) << "however little is asked";
  EXPECT_EQ(Figure("token_valid"), 1);
}

TEST_F(AccountPollerTest, AnUnsubscribedAppIsSubscribedAgain) {
  graph_.Forget("GET 900/subscribed_apps");
  graph_.Answer("GET 900/subscribed_apps", 200, R"({"data":[{"whatsapp_business_api_data":{"id":"7"}}]})");
  graph_.Answer("GET 900/subscribed_apps", 200, R"({"data":[{"whatsapp_business_api_data":{"id":"42"}}]})");
  graph_.Answer("POST 900/subscribed_apps", 200, R"({"success":true})");
  Round({Number()});
  EXPECT_EQ(graph_.CountOf("POST", "/900/subscribed_apps"), 1u) << "another's app brings us nothing";
  EXPECT_EQ(Figure("subscribed"), 1);
  EXPECT_EQ(Figure("subscription_repairs_total"), 1);
  EXPECT_EQ(Figure("subscription_repair_failures_total"), 0);
}

TEST_F(AccountPollerTest, WhereTheTokenDoesNotTellItsAppTheAccountsFileDoes) {
  graph_.Forget("GET debug_token");
  graph_.Refuse("GET debug_token", 100);
  Account account = Number();
  account.app_id = "7";
  account.subscription_repair = false;
  Round({account});
  EXPECT_EQ(Figure("subscribed"), 0);
}

TEST_F(AccountPollerTest, APageKeepsTheFieldsThatItHas) {
  graph_.Forget("GET 2001/subscribed_apps");
  graph_.Answer("GET 2001/subscribed_apps", 200, R"({"data":[{"id":"42","subscribed_fields":["messages","feed"]}]})");
  graph_.Answer("POST 2001/subscribed_apps", 200, R"({"success":true})");
  Round({Page()});
  EXPECT_EQ(graph_.CountOf("POST", "feed"), 1u);
  EXPECT_EQ(graph_.CountOf("POST", "messaging_postbacks"), 1u);
  EXPECT_EQ(Figure("subscribed", "messenger", "2001"), 0) << "Meta says afterwards that it is not so";
  EXPECT_EQ(Figure("subscription_repair_failures_total", "messenger", "2001"), 1);
}

TEST_F(AccountPollerTest, RepairIsTriedOnceAnHourForAllNumbersOfABusinessAccount) {
  graph_.Forget("GET 900/subscribed_apps");
  graph_.Answer("GET 900/subscribed_apps", 200, R"({"data":[]})");
  graph_.Refuse("POST 900/subscribed_apps", 10);
  graph_.Answer("GET 1066", 200, R"({"id":"1066"})");
  for (int round = 0; round < 6; ++round) {
    Round({Number(), Number("1066")});
    clock_.Advance(minutes(10));
  }
  EXPECT_EQ(graph_.CountOf("POST", ""), 1u);
  Round({Number(), Number("1066")});
  EXPECT_EQ(graph_.CountOf("POST", ""), 2u);
  EXPECT_EQ(Figure("subscribed"), 0);
}

TEST_F(AccountPollerTest, AnOperatorMaySayThatItIsMeantSo) {
  graph_.Forget("GET 900/subscribed_apps");
  graph_.Answer("GET 900/subscribed_apps", 200, R"({"data":[]})");
  Account account = Number();
  account.subscription_repair = false;
  Round({account});
  EXPECT_EQ(graph_.CountOf("POST", ""), 0u);
  EXPECT_EQ(Figure("subscribed"), 0) << "told all the same";
  EXPECT_EQ(Figure("up"), 1);
}

TEST_F(AccountPollerTest, ANumberWithoutItsBusinessAccountSaysNothingOfItsSubscription) {
  Round({Number("1065", "")});
  EXPECT_EQ(Figure("subscribed"), -1);
  EXPECT_EQ(Figure("up"), 1);
}

TEST_F(AccountPollerTest, CallsStayWithinTheAllowanceOfTheBusinessAccount) {
  for (int round = 0; round < 1000; ++round) {
    Round({Number()});
    clock_.Advance(std::chrono::seconds(4));
  }
  const double hours_passed = 1000 * 4 / 3600.0;
  EXPECT_LE(static_cast<double>(graph_.requests().size()),
            CallBudget::kCallsMax + CallBudget::kCallsPerHour * hours_passed + 3);
  EXPECT_GT(Failures("call_budget"), 0);
  EXPECT_EQ(Figure("up"), 1) << "nothing is wrong with it";
}

TEST_F(AccountPollerTest, WhenMetaSaysTooManyTheRestWaits) {
  graph_.Forget("GET 1065");
  graph_.Refuse("GET 1065", 80007);
  Round({Number()});
  EXPECT_EQ(Failures("limited"), 1);
  const std::size_t calls = graph_.requests().size();
  Round({Number()});
  EXPECT_EQ(graph_.requests().size(), calls);
  clock_.Advance(minutes(10));
  Round({Number()});
  EXPECT_GT(graph_.requests().size(), calls);
}

TEST_F(AccountPollerTest, AnAccountThatLeftTheFileMeetsNoAlert) {
  Round({Number(), Page()});
  Round({Page()});
  EXPECT_TRUE(std::isnan(Figure("token_valid")));
  EXPECT_TRUE(std::isnan(Figure("last_success_timestamp_seconds")));
  EXPECT_EQ(Figure("token_valid", "messenger", "2001"), 1);
  Round({Number(), Page()});
  EXPECT_EQ(Figure("token_valid"), 1) << "and may come back";
}

TEST_F(AccountPollerTest, AccountsBeyondTheBoundAreCountedAndNotAsked) {
  std::vector<Account> accounts;
  for (std::size_t i = 0; i < AccountPoller::kAccountsMax + 3; ++i) {
    accounts.push_back(Number(std::to_string(5000 + i), std::to_string(9000 + i)));
  }
  graph_.Forget("GET debug_token");
  Round(accounts);
  EXPECT_EQ(Metric("exporter_accounts_not_polled"), 3);
}

TEST_F(AccountPollerTest, AStopEndsTheRoundAndForgetsNobody) {
  goes_on_ = false;
  Round({Number(), Page()});
  EXPECT_EQ(Figure("up"), 1);
  EXPECT_EQ(Figure("up", "messenger", "2001"), -1);
  EXPECT_EQ(graph_.requests().size(), 3u);
}

}  // namespace
}  // namespace exporter
