// The whole service in this process, over real gRPC and a real redis-server.
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <future>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "libs/base/adaptive_throttle.h"
#include "libs/crypto/digest.h"
#include "libs/rpc/health.h"
#include "libs/session/client.h"
#include "services/session/app.h"
#include "tests/integration/harness/redis_server.h"
#include "tests/integration/harness/wait.h"

namespace session_service {
namespace {

namespace v1 = mesh::session::v1;
using harness::WaitUntil;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

base::MonotonicTime In(base::Duration duration) { return base::Clock::Real().Now() + duration; }
std::string TurnIdOf(const std::string& name) { return std::string(crypto::AsBytes(crypto::Sha256(name))); }

mesh::bus::v1::ConversationId Conversation(const std::string& user, const std::string& tenant = "tenant") {
  mesh::bus::v1::ConversationId id;
  id.set_tenant(tenant);
  id.set_channel(mesh::bus::v1::CHANNEL_INSTAGRAM);
  id.set_account("account");
  id.set_user(user);
  return id;
}

class ServiceTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { std::signal(SIGPIPE, SIG_IGN); }

  void SetUp() override {
    auto redis = harness::RedisServer::StartNew();
    ASSERT_TRUE(redis.ok()) << redis.status();
    redis_ = *std::move(redis);
    options_ = DefaultOptions();
    options_.grpc.port = 0;
    options_.redis.port = redis_->port();
  }
  void StartService() {
    ASSERT_TRUE(ValidateOptions(options_).ok());
    auto app = App::Start(options_, metrics_);
    ASSERT_TRUE(app.ok()) << app.status();
    app_ = *std::move(app);
    target_ = "127.0.0.1:" + std::to_string(app_->port());
    client_ = session::Client::Create(target_);
    ASSERT_TRUE(WaitUntil([&] { return client_->connected(); }));
  }

  // One call of the asynchronous client, waited for.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(void (session::Client::*method)(const Request&, const session::Client::CallOptions&,
                                                                std::function<void(absl::StatusOr<Response>)>),
                                const Request& request, base::Duration timeout = 5s) {
    std::promise<absl::StatusOr<Response>> promise;
    session::Client::CallOptions call;
    call.timeout = timeout;
    call.trace = telemetry::TraceContext::NewRoot();
    (client_.get()->*method)(request, call,
                             [&](absl::StatusOr<Response> response) { promise.set_value(std::move(response)); });
    return promise.get_future().get();
  }

  static v1::AppendTurnRequest AppendOf(const mesh::bus::v1::ConversationId& conversation, const std::string& name,
                                        std::int64_t turns_offset, std::int64_t replies_offset,
                                        const std::string& reply) {
    v1::AppendTurnRequest request;
    *request.mutable_conversation() = conversation;
    v1::HistoryTurn* turn = request.mutable_turn();
    turn->set_turn_id(TurnIdOf(name));
    turn->set_user_text("question " + name);
    turn->set_reply_text(reply);
    turn->set_user_tokens(5);
    turn->set_reply_tokens(5);
    turn->set_turns_offset(turns_offset);
    turn->set_replies_offset(replies_offset);
    return request;
  }
  absl::Status Append(const v1::AppendTurnRequest& request) {
    return Call(&session::Client::AppendTurn, request).status();
  }
  absl::StatusOr<v1::LoadContextResponse> Load(const mesh::bus::v1::ConversationId& conversation,
                                               const std::string& name) {
    v1::LoadContextRequest request;
    *request.mutable_conversation() = conversation;
    request.set_turn_id(TurnIdOf(name));
    request.set_history_tokens_max(100'000);
    return Call(&session::Client::LoadContext, request);
  }
  bool MetricIs(const std::string& line) {
    return ("\n" + metrics_.ToPrometheusText()).find("\n" + line + "\n") != std::string::npos;
  }

  std::unique_ptr<harness::RedisServer> redis_;
  Options options_;
  telemetry::Registry metrics_;
  std::unique_ptr<App> app_;
  std::string target_;
  std::unique_ptr<session::Client> client_;
};

TEST_F(ServiceTest, SecondMessageSeesTheFirstInItsContext) {
  StartService();
  const auto ana = Conversation("ana");
  ASSERT_TRUE(Append(AppendOf(ana, "first", 1, 1, "hello Ana")).ok());
  const auto loaded = Load(ana, "second");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_FALSE(loaded->done());
  ASSERT_EQ(loaded->history_size(), 1);
  EXPECT_EQ(loaded->history(0).user_text(), "question first");
  EXPECT_EQ(loaded->history(0).reply_text(), "hello Ana");
  EXPECT_EQ(loaded->canonical().user(), "ana");
  EXPECT_TRUE(Load(ana, "first")->done());
}

TEST_F(ServiceTest, EveryMethodAnswers) {
  StartService();
  const auto ana = Conversation("ana");
  ASSERT_TRUE(Append(AppendOf(ana, "first", 1, 1, "hello")).ok());
  v1::SetOutcomeRequest outcome;
  *outcome.mutable_conversation() = ana;
  outcome.set_turn_id(TurnIdOf("first"));
  outcome.set_outcome(v1::OUTCOME_DELIVERED);
  EXPECT_TRUE(Call(&session::Client::SetOutcome, outcome).ok());
  v1::LinkIdentityRequest link;
  *link.mutable_old_conversation() = ana;
  *link.mutable_new_conversation() = Conversation("bea");
  link.set_changed_at_ms(1);
  EXPECT_EQ(Call(&session::Client::LinkIdentity, link)->turns_moved(), 1);

  v1::SetControlRequest control;
  *control.mutable_conversation() = ana;
  control.set_action(mesh::bus::v1::CONTROL_ACTION_PAUSE);
  EXPECT_TRUE(Call(&session::Client::SetControl, control)->applied());
  v1::UnsendRequest unsend;
  *unsend.mutable_conversation() = ana;
  unsend.set_turn_id(TurnIdOf("hasty"));
  EXPECT_FALSE(Call(&session::Client::Unsend, unsend)->deleted());

  v1::IsDoneRequest is_done;
  is_done.add_turn_ids(TurnIdOf("first"));
  is_done.add_turn_ids(TurnIdOf("second"));
  const auto done = client_->IsDone(is_done, {});
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_THAT(done->done(), testing::ElementsAre(true, false));
  v1::GetSessionRequest get;
  *get.mutable_conversation() = ana;
  const auto stored = client_->GetSession(get, {});
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->canonical().user(), "bea");
  EXPECT_EQ(stored->turns(0).outcome(), v1::OUTCOME_DELIVERED);
  v1::ForgetRequest forget;
  *forget.mutable_conversation() = ana;
  EXPECT_EQ(client_->Forget(forget, {})->turns_deleted(), 1);
}

TEST_F(ServiceTest, BadRequestIsInvalidArgumentAndCounted) {
  StartService();
  v1::AppendTurnRequest bad = AppendOf(Conversation("ana"), "first", 1, 1, std::string(64 * 1024 + 1, 'x'));
  EXPECT_TRUE(absl::IsInvalidArgument(Append(bad)));
  bad = AppendOf(Conversation(std::string(257, 'u')), "first", 1, 1, "x");
  EXPECT_TRUE(absl::IsInvalidArgument(Append(bad)));
  // Larger than gRPC takes: refused for good as well, by the client.
  EXPECT_TRUE(absl::IsInvalidArgument(Append(AppendOf(Conversation("ana"), "first", 1, 1, std::string(5 << 20, 'x')))));
  EXPECT_TRUE(MetricIs(R"(session_rpc_total{code="INVALID_ARGUMENT",method="AppendTurn"} 2)"))
      << metrics_.ToPrometheusText();
}

// Goal: Redis dies under load and comes back; callers see Unavailable at once, then success, with no restart of
// anything.
TEST_F(ServiceTest, RedisOutageIsUnavailableAtOnceAndOverWithoutRestart) {
  StartService();
  const auto ana = Conversation("ana");
  ASSERT_TRUE(Append(AppendOf(ana, "first", 1, 1, "hello")).ok());
  EXPECT_TRUE(rpc::CheckHealth(target_, In(5s)).ok());
  EXPECT_TRUE(app_->Ready() == app::Readiness::Ready());

  redis_->Kill();
  ASSERT_TRUE(WaitUntil([&] { return !Load(ana, "second").ok(); }, 5s));
  for (int i = 0; i < 20; ++i) {
    const auto before = base::Clock::Real().Now();
    const absl::Status status = Load(ana, "second").status();
    ASSERT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_NE(std::string(status.message()).find("Redis has been down"), std::string::npos) << status;
    EXPECT_LT(base::Clock::Real().Now() - before, 500ms);
  }
  EXPECT_FALSE(app_->Ready().takes_work());
  EXPECT_TRUE(WaitUntil([&] { return !rpc::CheckHealth(target_, In(5s)).ok(); }, 5s));
  EXPECT_TRUE(MetricIs("session_redis_up 0"));

  ASSERT_TRUE(redis_->Start().ok());
  ASSERT_TRUE(WaitUntil([&] { return Load(ana, "second").ok(); }, 10s));
  // What Redis acknowledged last may be gone (it delays writes while the disk syncs): the log is replayed, and
  // harmlessly.
  ASSERT_TRUE(Append(AppendOf(ana, "first", 1, 1, "hello")).ok());
  EXPECT_EQ(Load(ana, "second")->history_size(), 1);
  EXPECT_TRUE(app_->Ready() == app::Readiness::Ready());
  EXPECT_TRUE(WaitUntil([&] { return rpc::CheckHealth(target_, In(5s)).ok(); }, 5s));
  EXPECT_TRUE(MetricIs("session_redis_up 1"));
}

TEST_F(ServiceTest, StartsWithoutRedisAndServesWhenItComes) {
  redis_->Kill();
  StartService();
  EXPECT_TRUE(absl::IsUnavailable(Load(Conversation("ana"), "first").status()));
  ASSERT_TRUE(redis_->Start().ok());
  EXPECT_TRUE(WaitUntil([&] { return Load(Conversation("ana"), "first").ok(); }, 10s));
}

TEST_F(ServiceTest, SilentRedisCostsACallNoMoreThanItsDeadline) {
  StartService();
  ASSERT_TRUE(Load(Conversation("ana"), "first").ok());
  redis_->Pause();
  v1::LoadContextRequest request;
  *request.mutable_conversation() = Conversation("ana");
  request.set_turn_id(TurnIdOf("first"));
  const auto before = base::Clock::Real().Now();
  EXPECT_TRUE(absl::IsDeadlineExceeded(Call(&session::Client::LoadContext, request, 100ms).status()));
  EXPECT_LT(base::Clock::Real().Now() - before, 1s);
  redis_->Resume();
}

// Thirty calls at once find a session that answers none in time. The client then holds others back by itself, says
// which option decides that, and lets everything through again soon after session has answered.
TEST_F(ServiceTest, AClientSparesASessionThatCannotKeepUp) {
  StartService();
  ASSERT_TRUE(Load(Conversation("ana"), "first").ok());
  redis_->Pause();
  v1::LoadContextRequest request;
  *request.mutable_conversation() = Conversation("ana");
  request.set_turn_id(TurnIdOf("first"));
  std::vector<std::future<absl::Status>> calls;
  for (int i = 0; i < 30; ++i) {
    auto ended = std::make_shared<std::promise<absl::Status>>();
    calls.push_back(ended->get_future());
    session::Client::CallOptions options;
    options.timeout = 200ms;
    client_->LoadContext(request, options, [ended](const auto& response) { ended->set_value(response.status()); });
  }
  for (auto& call : calls) EXPECT_TRUE(absl::IsDeadlineExceeded(call.get()));
  EXPECT_TRUE(WaitUntil([&] {
    const absl::Status status = Call(&session::Client::LoadContext, request, 20ms).status();
    return absl::IsUnavailable(status) && status.message().find("--session-throttle-k") != absl::string_view::npos;
  }));
  std::this_thread::sleep_for(base::AdaptiveThrottle::kAwayAfter);  // shorter, and it would be taken for overload
  redis_->Resume();
  EXPECT_TRUE(WaitUntil(
      [&] {  // ten in a row
        for (int i = 0; i < 10; ++i) {
          if (!Load(Conversation("ana"), "first").ok()) return false;
        }
        return true;
      },
      20s));
}

TEST_F(ServiceTest, CallsBeyondTheQueueAreRefused) {
  options_.grpc.handler_threads = 1;
  options_.grpc.calls_waiting_max = 1;
  StartService();
  ASSERT_TRUE(Load(Conversation("ana"), "first").ok());
  redis_->Pause();  // the one thread waits for an answer
  v1::LoadContextRequest request;
  *request.mutable_conversation() = Conversation("ana");
  request.set_turn_id(TurnIdOf("first"));
  std::vector<std::future<absl::Status>> calls;
  for (int i = 0; i < 20; ++i) {
    auto ended = std::make_shared<std::promise<absl::Status>>();
    calls.push_back(ended->get_future());
    client_->LoadContext(request, {}, [ended](absl::StatusOr<v1::LoadContextResponse> response) {
      ended->set_value(response.status());
    });
  }
  int refused = 0;
  for (auto& call : calls) {
    if (absl::IsResourceExhausted(call.get())) ++refused;
  }
  EXPECT_GE(refused, 18);
  redis_->Resume();
}

TEST_F(ServiceTest, ClientDestroyedWithCallsInFlightCancelsThemFirst) {
  StartService();
  ASSERT_TRUE(Load(Conversation("ana"), "first").ok());
  redis_->Pause();
  std::atomic<int> ended = 0;
  v1::LoadContextRequest request;
  *request.mutable_conversation() = Conversation("ana");
  request.set_turn_id(TurnIdOf("first"));
  for (int i = 0; i < 10; ++i) client_->LoadContext(request, {}, [&](const auto&) { ++ended; });
  client_.reset();
  EXPECT_EQ(ended, 10) << "every callback runs, and before the destructor returns";
  redis_->Resume();
}

TEST_F(ServiceTest, DrainLetsCallsEndAndTakesNoMore) {
  StartService();
  ASSERT_TRUE(Load(Conversation("ana"), "first").ok());
  app_->Drain(In(5s));
  EXPECT_TRUE(absl::IsUnavailable(Load(Conversation("ana"), "first").status()));
}

TEST_F(ServiceTest, TakenPortIsAnErrorThatNamesTheOption) {
  StartService();
  Options same = options_;
  same.grpc.port = app_->port();
  telemetry::Registry registry;
  const auto second = App::Start(same, registry);
  ASSERT_FALSE(second.ok());
  EXPECT_NE(std::string(second.status().message()).find("--grpc-port"), std::string::npos);
}

// Goal: the projection equals a plain model of the log, whoever writes what when (invariants I4 and I5).
// Method: a random log of conversations of two tenants with the same users; 50 clients write its records at once, each
// in an order of its own and some of them twice, then the stored history is compared with what the rules say of the
// log.
TEST_F(ServiceTest, FiftyClientsConvergeOnTheLog) {
  StartService();
  const char* const given = std::getenv("MESH_TEST_SEED");
  const auto seed =
      given != nullptr ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10)) : std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  SCOPED_TRACE("MESH_TEST_SEED=" + std::to_string(seed));

  constexpr int kUsers = 4;
  constexpr int kTurns = 12;
  constexpr int kClients = 50;
  struct Expected {
    std::string reply;
    std::int64_t lowest = INT64_MAX;
    v1::Outcome outcome = v1::OUTCOME_UNSPECIFIED;
  };
  std::mt19937 rng(seed);
  std::map<std::string, std::map<std::int64_t, Expected>> model;  // tenant and user -> turns offset -> what was said
  std::vector<v1::AppendTurnRequest> appends;
  std::vector<v1::SetOutcomeRequest> outcomes;
  constexpr v1::Outcome kInOrder[] = {v1::OUTCOME_SENT, v1::OUTCOME_DELIVERED, v1::OUTCOME_READ};
  for (const std::string tenant : {"red", "blue"}) {
    for (int user = 0; user < kUsers; ++user) {
      const auto conversation = Conversation("user " + std::to_string(user), tenant);
      for (std::int64_t at = 0; at < kTurns; ++at) {
        const std::string name = tenant + std::to_string(user) + "/" + std::to_string(at);
        Expected& expected = model[tenant + conversation.user()][at];
        for (int attempt = 0; attempt < 1 + static_cast<int>(rng() % 3); ++attempt) {
          const auto offset = static_cast<std::int64_t>(rng() % 100'000);
          const std::string reply = name + " said at " + std::to_string(offset);
          appends.push_back(AppendOf(conversation, name, at, offset, reply));
          if (offset < expected.lowest) expected = {reply, offset, expected.outcome};
        }
        const std::size_t steps = rng() % 4;
        for (std::size_t step = 0; step < steps; ++step) {
          v1::SetOutcomeRequest request;
          *request.mutable_conversation() = conversation;
          request.set_turn_id(TurnIdOf(name));
          request.set_outcome(kInOrder[step]);
          outcomes.push_back(request);
          expected.outcome = kInOrder[step];
        }
      }
    }
  }

  std::atomic<int> failures = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&, i] {
      // Each record is written by two clients at least; every client goes through its share in a random order.
      std::mt19937 order(seed + static_cast<std::uint32_t>(i) + 1);
      const auto own = session::Client::Create(target_);
      std::vector<std::size_t> mine;
      for (std::size_t j = 0; j < appends.size() + outcomes.size(); ++j) {
        if (j % 25 == static_cast<std::size_t>(i % 25)) mine.push_back(j);
      }
      std::shuffle(mine.begin(), mine.end(), order);
      if (!WaitUntil([&] { return own->connected(); })) ++failures;
      for (const std::size_t j : mine) {
        std::promise<absl::Status> ended;
        session::Client::CallOptions call;
        call.timeout = 20s;
        if (j < appends.size()) {
          own->AppendTurn(appends[j], call, [&](const auto& response) { ended.set_value(response.status()); });
        } else {
          own->SetOutcome(outcomes[j - appends.size()], call,
                          [&](const auto& response) { ended.set_value(response.status()); });
        }
        if (!ended.get_future().get().ok()) ++failures;
      }
    });
  }
  for (std::thread& thread : clients) thread.join();
  ASSERT_EQ(failures, 0);

  for (const std::string tenant : {"red", "blue"}) {
    for (int user = 0; user < kUsers; ++user) {
      v1::GetSessionRequest get;
      *get.mutable_conversation() = Conversation("user " + std::to_string(user), tenant);
      const auto stored = client_->GetSession(get, {});
      ASSERT_TRUE(stored.ok()) << stored.status();
      ASSERT_EQ(stored->turns_size(), kTurns);
      for (const v1::HistoryTurn& turn : stored->turns()) {
        const Expected& expected = model[tenant + get.conversation().user()][turn.turns_offset()];
        EXPECT_EQ(turn.reply_text(), expected.reply);
        EXPECT_EQ(turn.replies_offset(), expected.lowest);
        EXPECT_EQ(turn.outcome(), expected.outcome);
      }
    }
  }
}

TEST_F(ServiceTest, MetricNamesAreTheGoldenOnes) {
  StartService();
  std::ifstream file("tests/golden/metrics/session.txt");  // tests run in the repository's root
  ASSERT_TRUE(file) << "tests/golden/metrics/session.txt is missing";
  std::vector<std::string> golden;
  for (std::string line; std::getline(file, line);) golden.push_back(line);
  EXPECT_EQ(metrics_.MetricNames(), golden);
}

}  // namespace
}  // namespace session_service
