#include "libs/session/client.h"

#include <grpcpp/alarm.h>
#include <grpcpp/channel.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "libs/base/adaptive_throttle.h"
#include "libs/base/str_cat.h"
#include "libs/rpc/call.h"
#include "libs/rpc/channel.h"
#include "proto/session/v1/session.grpc.pb.h"

namespace session {
namespace {

namespace v1 = mesh::session::v1;
using Async = v1::SessionService::StubInterface::async_interface;

base::MonotonicTime Now() { return base::Clock::Real().Now(); }

// Whether session had no room for a call. One that it could not take at all, because it or its Redis is away, says
// nothing about that.
bool HadNoRoom(const absl::Status& status) {
  return absl::IsDeadlineExceeded(status) || absl::IsResourceExhausted(status);
}

// Beyond gRPC's own limit a request comes back as ResourceExhausted, which looks as if it could succeed later.
absl::Status CheckSize(const google::protobuf::Message& request) {
  if (request.ByteSizeLong() <= Client::kRequestBytesMax) return absl::OkStatus();
  return absl::InvalidArgumentError(base::StrCat(request.GetTypeName(), " has ", request.ByteSizeLong(),
                                                 " bytes, at most ", Client::kRequestBytesMax));
}

class GrpcClient final : public Client {
 public:
  GrpcClient(const std::string& target, double throttle_k)
      : channel_(rpc::MakeChannel(target)),
        stub_(v1::SessionService::NewStub(channel_)),
        throttle_({.k = throttle_k}, /*seed=*/static_cast<std::uint64_t>(Now().time_since_epoch().count())) {
    channel_->GetState(/*try_to_connect=*/true);
  }

  ~GrpcClient() override {
    std::unique_lock lock(mutex_);
    closing_ = true;
    for (grpc::ClientContext* const context : in_flight_) context->TryCancel();
    idle_.wait(lock, [&] { return calls_ == 0; });
  }

  void LoadContext(const v1::LoadContextRequest& request, const CallOptions& options,
                   Callback<v1::LoadContextResponse> on_done) override {
    Start("LoadContext", &Async::LoadContext, request, options, std::move(on_done));
  }
  void AppendTurn(const v1::AppendTurnRequest& request, const CallOptions& options,
                  Callback<v1::AppendTurnResponse> on_done) override {
    Start("AppendTurn", &Async::AppendTurn, request, options, std::move(on_done));
  }
  void SetOutcome(const v1::SetOutcomeRequest& request, const CallOptions& options,
                  Callback<v1::SetOutcomeResponse> on_done) override {
    Start("SetOutcome", &Async::SetOutcome, request, options, std::move(on_done));
  }
  void LinkIdentity(const v1::LinkIdentityRequest& request, const CallOptions& options,
                    Callback<v1::LinkIdentityResponse> on_done) override {
    Start("LinkIdentity", &Async::LinkIdentity, request, options, std::move(on_done));
  }
  void SetControl(const v1::SetControlRequest& request, const CallOptions& options,
                  Callback<v1::SetControlResponse> on_done) override {
    Start("SetControl", &Async::SetControl, request, options, std::move(on_done));
  }
  void Unsend(const v1::UnsendRequest& request, const CallOptions& options,
              Callback<v1::UnsendResponse> on_done) override {
    Start("Unsend", &Async::Unsend, request, options, std::move(on_done));
  }

  absl::StatusOr<v1::IsDoneResponse> IsDone(const v1::IsDoneRequest& request, const CallOptions& options) override {
    return Wait<v1::IsDoneResponse>("IsDone", &v1::SessionService::StubInterface::IsDone, request, options);
  }
  absl::StatusOr<v1::ForgetResponse> Forget(const v1::ForgetRequest& request, const CallOptions& options) override {
    return Wait<v1::ForgetResponse>("Forget", &v1::SessionService::StubInterface::Forget, request, options);
  }
  absl::StatusOr<v1::GetSessionResponse> GetSession(const v1::GetSessionRequest& request,
                                                    const CallOptions& options) override {
    return Wait<v1::GetSessionResponse>("GetSession", &v1::SessionService::StubInterface::GetSession, request, options);
  }

  bool connected() const override { return channel_->GetState(/*try_to_connect=*/true) == GRPC_CHANNEL_READY; }

 private:
  // One call under way; deletes itself after its callback.
  template <typename Request, typename Response>
  struct Call {
    std::string_view method;
    grpc::ClientContext context;
    grpc::Alarm refusal;  // used instead of the network when the call was refused here
    Request request;
    Response response;
    Callback<Response> on_done;
  };

  template <typename Request, typename Response>
  using AsyncMethod = void (Async::*)(grpc::ClientContext*, const Request*, Response*,
                                      std::function<void(grpc::Status)>);

  template <typename Request, typename Response>
  void Start(std::string_view method, AsyncMethod<Request, Response> start, const Request& request,
             const CallOptions& options, Callback<Response> on_done) {
    auto* const call = new Call<Request, Response>{method, {}, {}, request, {}, std::move(on_done)};
    rpc::PrepareCall(call->context, Now() + options.timeout, options.trace);
    absl::Status refused = CheckSize(request);
    {
      std::lock_guard lock(mutex_);
      if (closing_) {
        refused = absl::CancelledError("session client is closing");
      } else if (refused.ok() && calls_ >= kCallsInFlightMax) {
        refused = absl::ResourceExhaustedError(base::StrCat(kCallsInFlightMax, " calls to session are in flight"));
      } else if (refused.ok() && !throttle_.Admit(Now())) {
        refused = absl::UnavailableError(
            "held back here, because session accepts too few calls (--session-throttle-k); try again later");
      }
      if (refused.ok()) in_flight_.insert(&call->context);
      ++calls_;
    }
    if (!refused.ok()) {
      // On a gRPC thread as promised: the caller may hold a lock that its callback takes.
      call->refusal.Set(gpr_now(GPR_CLOCK_MONOTONIC), [this, call, refused](bool) { End(call, refused); });
      return;
    }
    (stub_->async()->*start)(&call->context, &call->request, &call->response, [this, call](const grpc::Status& status) {
      End(call, rpc::FromGrpc(status, call->method));
    });
  }

  template <typename Request, typename Response>
  void End(Call<Request, Response>* call, const absl::Status& status) {
    {
      std::lock_guard lock(mutex_);
      const bool was_sent = in_flight_.erase(&call->context) > 0;
      const bool tells = was_sent && !absl::IsUnavailable(status) && !absl::IsCancelled(status);
      if (tells) throttle_.OnEnd(Now(), !HadNoRoom(status));
    }
    if (status.ok()) {
      call->on_done(std::move(call->response));
    } else {
      call->on_done(status);
    }
    delete call;
    // The last touch of `this`: the destructor goes on when the lock is free.
    std::lock_guard lock(mutex_);
    if (--calls_ == 0) idle_.notify_all();
  }

  template <typename Response, typename Request>
  absl::StatusOr<Response> Wait(std::string_view method,
                                grpc::Status (v1::SessionService::StubInterface::*run)(grpc::ClientContext*,
                                                                                       const Request&, Response*),
                                const Request& request, const CallOptions& options) {
    if (absl::Status refused = CheckSize(request); !refused.ok()) return refused;
    grpc::ClientContext context;
    rpc::PrepareCall(context, Now() + options.timeout, options.trace);
    // A tool calls once, right after it started: it may wait for the connection, until its deadline.
    context.set_wait_for_ready(true);
    Response response;
    const grpc::Status status = (stub_.get()->*run)(&context, request, &response);
    if (!status.ok()) return rpc::FromGrpc(status, method);
    return response;
  }

  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::SessionService::Stub> stub_;

  std::mutex mutex_;
  std::condition_variable idle_;
  base::AdaptiveThrottle throttle_;                     // protected by mutex_
  std::unordered_set<grpc::ClientContext*> in_flight_;  // protected by mutex_; for cancelling
  int calls_ = 0;                                       // protected by mutex_; with those that were refused
  bool closing_ = false;                                // protected by mutex_
};

}  // namespace

std::unique_ptr<Client> Client::Create(const std::string& target, double throttle_k) {
  return std::make_unique<GrpcClient>(target, throttle_k);
}

void RegisterThrottleOption(config::OptionTable& table, double* throttle_k) {
  table.Add(
      "session-throttle-k", throttle_k,
      {.doc = "Calls that may go to session for each one that it accepts, over two minutes; what is beyond is held "
              "back here and tried again later, while session cannot keep up. Lower spares it more, higher notices "
              "sooner that it has room.",
       .min = 1,
       .max = 1000});
}

}  // namespace session
