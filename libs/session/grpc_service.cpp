#include "libs/session/grpc_service.h"

#include <array>
#include <string>
#include <utility>

#include "libs/base/str_cat.h"
#include "libs/fault/fault.h"
#include "libs/rpc/call.h"
#include "libs/session/validate.h"
#include "libs/telemetry/log.h"
#include "proto/session/v1/session.grpc.pb.h"

namespace session {
namespace {

namespace v1 = mesh::session::v1;

enum MethodIndex {
  kLoadContext,
  kAppendTurn,
  kSetOutcome,
  kIsDone,
  kForget,
  kGetSession,
  kLinkIdentity,
  kSetControl,
  kUnsend,
  kMethods
};
constexpr std::array<std::string_view, kMethods> kMethodNames{"LoadContext",  "AppendTurn", "SetOutcome",
                                                              "IsDone",       "Forget",     "GetSession",
                                                              "LinkIdentity", "SetControl", "Unsend"};

}  // namespace

struct GrpcService::Rep final : v1::SessionService::CallbackService {
  Rep(Store* the_store, rpc::CallExecutor* the_executor, const rpc::ServerOptions& server_options, Observer on_end)
      : store(the_store), executor(the_executor), options(server_options), observer(std::move(on_end)) {}

  void End(grpc::ServerUnaryReactor* reactor, MethodIndex method, base::MonotonicTime started,
           const telemetry::TraceContext& trace, const absl::Status& status) {
    const base::Duration took = base::Clock::Real().Now() - started;
    observer(kMethodNames[method], status.code(), took);
    // Unavailable is said once, by the pool, and not once a call.
    if (status.code() == absl::StatusCode::kInternal || status.code() == absl::StatusCode::kDataLoss) {
      telemetry::Log(telemetry::LogLevel::kError, "call_failed", trace,
                     {{"method", kMethodNames[method]}, {"error", status.message()}, {"ms", base::ToMs(took)}});
    }
    // Last: the server counts the call as over, and whoever drains it may then destroy all of this.
    reactor->Finish(rpc::ToGrpc(status));
  }

  // The whole life of one call. gRPC keeps context, request and response alive until Finish.
  template <auto kStoreMethod, typename Request, typename Response>
  grpc::ServerUnaryReactor* Serve(grpc::CallbackServerContext* context, const Request* request, Response* response,
                                  MethodIndex method) {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    const base::MonotonicTime started = base::Clock::Real().Now();
    const base::MonotonicTime deadline = rpc::CallDeadline(*context, options);
    const telemetry::TraceContext trace = rpc::CallTrace(*context);
    if (absl::Status valid = Validate(*request); !valid.ok()) {
      End(reactor, method, started, trace, valid);
      return reactor;
    }
    const bool taken = executor->TryRun([=, this] {
      if (context->IsCancelled()) return End(reactor, method, started, trace, absl::CancelledError("caller left"));
      if (base::Clock::Real().Now() >= deadline) {
        return End(reactor, method, started, trace,
                   absl::DeadlineExceededError("deadline passed while the call waited for a thread"));
      }
      absl::StatusOr<Response> result = (store->*kStoreMethod)(*request, deadline);
      if (method == kAppendTurn && result.ok()) fault::Here("session_turn_appended");
      if (result.ok()) *response = *std::move(result);
      End(reactor, method, started, trace, result.status());
    });
    if (!taken) {
      End(reactor, method, started, trace,
          absl::ResourceExhaustedError(base::StrCat(options.calls_waiting_max, " calls wait for ",
                                                    options.handler_threads,
                                                    " threads (--grpc-calls-waiting-max, --grpc-handler-threads)")));
    }
    return reactor;
  }

  grpc::ServerUnaryReactor* LoadContext(grpc::CallbackServerContext* context, const v1::LoadContextRequest* request,
                                        v1::LoadContextResponse* response) override {
    return Serve<&Store::LoadContext>(context, request, response, kLoadContext);
  }
  grpc::ServerUnaryReactor* AppendTurn(grpc::CallbackServerContext* context, const v1::AppendTurnRequest* request,
                                       v1::AppendTurnResponse* response) override {
    return Serve<&Store::AppendTurn>(context, request, response, kAppendTurn);
  }
  grpc::ServerUnaryReactor* SetOutcome(grpc::CallbackServerContext* context, const v1::SetOutcomeRequest* request,
                                       v1::SetOutcomeResponse* response) override {
    return Serve<&Store::SetOutcome>(context, request, response, kSetOutcome);
  }
  grpc::ServerUnaryReactor* IsDone(grpc::CallbackServerContext* context, const v1::IsDoneRequest* request,
                                   v1::IsDoneResponse* response) override {
    return Serve<&Store::IsDone>(context, request, response, kIsDone);
  }
  grpc::ServerUnaryReactor* Forget(grpc::CallbackServerContext* context, const v1::ForgetRequest* request,
                                   v1::ForgetResponse* response) override {
    return Serve<&Store::Forget>(context, request, response, kForget);
  }
  grpc::ServerUnaryReactor* GetSession(grpc::CallbackServerContext* context, const v1::GetSessionRequest* request,
                                       v1::GetSessionResponse* response) override {
    return Serve<&Store::GetSession>(context, request, response, kGetSession);
  }
  grpc::ServerUnaryReactor* LinkIdentity(grpc::CallbackServerContext* context, const v1::LinkIdentityRequest* request,
                                         v1::LinkIdentityResponse* response) override {
    return Serve<&Store::LinkIdentity>(context, request, response, kLinkIdentity);
  }
  grpc::ServerUnaryReactor* SetControl(grpc::CallbackServerContext* context, const v1::SetControlRequest* request,
                                       v1::SetControlResponse* response) override {
    return Serve<&Store::SetControl>(context, request, response, kSetControl);
  }
  grpc::ServerUnaryReactor* Unsend(grpc::CallbackServerContext* context, const v1::UnsendRequest* request,
                                   v1::UnsendResponse* response) override {
    return Serve<&Store::Unsend>(context, request, response, kUnsend);
  }

  Store* const store;
  rpc::CallExecutor* const executor;
  const rpc::ServerOptions options;
  const Observer observer;
};

GrpcService::GrpcService(Store* store, rpc::CallExecutor* executor, const rpc::ServerOptions& options,
                         Observer observer)
    : rep_(std::make_unique<Rep>(store, executor, options, std::move(observer))) {}
GrpcService::~GrpcService() = default;

grpc::Service* GrpcService::service() { return rep_.get(); }
std::span<const std::string_view> GrpcService::Methods() { return kMethodNames; }

}  // namespace session
