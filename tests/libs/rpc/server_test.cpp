// A server and clients of libs/rpc in one process, over real sockets. The session service's proto is borrowed for its
// shapes only.
#include "libs/rpc/server.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "libs/rpc/call.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/health.h"
#include "proto/session/v1/session.grpc.pb.h"
#include "tests/integration/harness/wait.h"

namespace rpc {
namespace {

namespace v1 = mesh::session::v1;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

base::MonotonicTime Now() { return base::Clock::Real().Now(); }

// Answers Forget at once and notes what it was called with; GetSession waits until it is cancelled.
class ProbeService final : public v1::SessionService::CallbackService {
 public:
  explicit ProbeService(const ServerOptions& options) : options_(options) {}

  grpc::ServerUnaryReactor* Forget(grpc::CallbackServerContext* context, const v1::ForgetRequest*,
                                   v1::ForgetResponse*) override {
    const base::MonotonicTime deadline = CallDeadline(*context, options_);
    time_left = deadline - Now();
    trace = CallTrace(*context);
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(ToGrpc(answer));
    return reactor;
  }

  grpc::ServerUnaryReactor* GetSession(grpc::CallbackServerContext*, const v1::GetSessionRequest*,
                                       v1::GetSessionResponse*) override {
    class WaitsForCancel final : public grpc::ServerUnaryReactor {
     public:
      void OnCancel() override { Finish(grpc::Status::CANCELLED); }
      void OnDone() override { delete this; }
    };
    waiting = true;
    return new WaitsForCancel;
  }

  base::Duration time_left{};
  std::optional<telemetry::TraceContext> trace;
  absl::Status answer;
  std::atomic<bool> waiting = false;

 private:
  const ServerOptions options_;
};

class ServerTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.port = 0;
    options_.deadline_default_ms = 700;
    options_.deadline_max_ms = 2000;
    service_ = std::make_unique<ProbeService>(options_);
    auto server = Server::Start(options_, {service_.get()});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    target_ = "127.0.0.1:" + std::to_string(server_->port());
    stub_ = v1::SessionService::NewStub(MakeChannel(target_));
  }

  // A context without deadline waits for the server, not for a lost one: tests end by the ctest timeout at worst.
  absl::Status Forget(grpc::ClientContext& context) {
    context.set_wait_for_ready(true);
    v1::ForgetResponse response;
    return FromGrpc(stub_->Forget(&context, v1::ForgetRequest(), &response), "Forget");
  }

  ServerOptions options_;
  std::unique_ptr<ProbeService> service_;
  std::unique_ptr<Server> server_;
  std::string target_;
  std::unique_ptr<v1::SessionService::Stub> stub_;
};

TEST_F(ServerTest, CallWithoutDeadlineGetsTheServersDefault) {
  grpc::ClientContext context;
  ASSERT_TRUE(Forget(context).ok());
  EXPECT_LE(service_->time_left, 700ms);
  EXPECT_GT(service_->time_left, 500ms);
}

TEST_F(ServerTest, CallersDeadlineHoldsUpToTheServersMaximum) {
  grpc::ClientContext shorter;
  PrepareCall(shorter, Now() + 1500ms, {});
  ASSERT_TRUE(Forget(shorter).ok());
  EXPECT_LE(service_->time_left, 1600ms);  // on the wire, gRPC rounds a timeout up to a few digits
  EXPECT_GT(service_->time_left, 500ms);

  grpc::ClientContext longer;
  PrepareCall(longer, Now() + 24h, {});
  ASSERT_TRUE(Forget(longer).ok());
  EXPECT_LE(service_->time_left, 2000ms);
  EXPECT_GT(service_->time_left, 1900ms);
}

TEST_F(ServerTest, TraceOfTheCallerGoesOnAndAMalformedOneIsReplaced) {
  const telemetry::TraceContext trace = telemetry::TraceContext::NewRoot();
  grpc::ClientContext traced;
  PrepareCall(traced, Now() + 5s, trace);
  ASSERT_TRUE(Forget(traced).ok());
  EXPECT_EQ(service_->trace->trace_id, trace.trace_id);
  EXPECT_NE(service_->trace->span_id, trace.span_id);

  grpc::ClientContext malformed;
  malformed.AddMetadata("traceparent", "00-zz-11-01");
  ASSERT_TRUE(Forget(malformed).ok());
  EXPECT_EQ(service_->trace->trace_id.size(), 32u);
  EXPECT_NE(service_->trace->trace_id, trace.trace_id);
}

TEST_F(ServerTest, StatusCrossesWithCodeAndBoundedMessage) {
  service_->answer = absl::UnavailableError("Redis has been down for 3 s: " + std::string(100'000, 'x'));
  grpc::ClientContext context;
  const absl::Status status = Forget(context);
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_TRUE(std::string(status.message()).starts_with("Forget: Redis has been down"));
  EXPECT_LT(status.message().size(), 2000u);
}

TEST_F(ServerTest, HealthSaysWhatWasSet) {
  EXPECT_TRUE(absl::IsUnavailable(CheckHealth(target_, Now() + 5s))) << "not serving until told";
  server_->SetServing(true);
  EXPECT_TRUE(CheckHealth(target_, Now() + 5s).ok());
  server_->SetServing(false);
  EXPECT_TRUE(absl::IsUnavailable(CheckHealth(target_, Now() + 5s)));
}

TEST_F(ServerTest, TakenPortIsAnErrorThatNamesTheOption) {
  ServerOptions same = options_;
  same.port = server_->port();
  ProbeService other(same);
  const auto second = Server::Start(same, {&other});
  ASSERT_TRUE(absl::IsUnavailable(second.status()));
  EXPECT_NE(std::string(second.status().message()).find("--grpc-port"), std::string::npos);
}

TEST_F(ServerTest, DrainCancelsWhatIsStillRunningAtItsDeadline) {
  auto call = std::async(std::launch::async, [&] {
    grpc::ClientContext context;
    PrepareCall(context, Now() + 30s, {});
    v1::GetSessionResponse response;
    return stub_->GetSession(&context, v1::GetSessionRequest(), &response).ok();
  });
  ASSERT_TRUE(harness::WaitUntil([&] { return service_->waiting.load(); }));
  const auto before = Now();
  server_->Drain(before + 200ms);
  EXPECT_GE(Now() - before, 190ms) << "the call was given its time";
  EXPECT_LT(Now() - before, 10s);
  EXPECT_FALSE(call.get());
}

TEST_F(ServerTest, ChannelFailsFastWithoutServerAndReconnectsWithinSeconds) {
  const std::uint16_t port = server_->port();
  server_->Drain(Now());
  server_.reset();
  const auto call = [&] {
    grpc::ClientContext context;
    PrepareCall(context, Now() + 5s, {});
    v1::ForgetResponse response;
    return stub_->Forget(&context, v1::ForgetRequest(), &response);
  };
  ASSERT_TRUE(harness::WaitUntil([&] { return call().error_code() == grpc::StatusCode::UNAVAILABLE; }));
  const auto before = Now();
  EXPECT_EQ(call().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_LT(Now() - before, 1s);

  options_.port = port;
  auto server = Server::Start(options_, {service_.get()});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_TRUE(harness::WaitUntil([&] { return call().ok(); }, 5s));
}

}  // namespace
}  // namespace rpc
