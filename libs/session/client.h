#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/clock.h"
#include "libs/config/option_table.h"
#include "libs/telemetry/trace.h"
#include "proto/session/v1/session.pb.h"

namespace session {

// gRPC client of the session service. Every call has a deadline, and all are idempotent: what fails as
// base::MayRetry says may be asked again. It never retries by itself, the lane does.
// Threading: safe from any thread; each callback runs exactly once, on a gRPC thread, and must not block.
// Lifetime:  the destructor cancels the calls in flight and waits until their callbacks have returned (Cancelled).
// Limits:    kCallsInFlightMax calls at once; one more is answered with ResourceExhausted. A request of more than
//            kRequestBytesMax, far more than any valid one has, is answered with InvalidArgument. While session accepts
//            too few calls, a share is answered here with Unavailable (base::AdaptiveThrottle); the blocking ones never
//            are.
class Client {
 public:
  static constexpr int kCallsInFlightMax = 16384;
  static constexpr std::size_t kRequestBytesMax = 1 << 20;

  // "127.0.0.1:50051"; connects in the background. `throttle_k` as in RegisterThrottleOption, at least 1.
  static std::unique_ptr<Client> Create(const std::string& target, double throttle_k = 2);
  virtual ~Client() = default;

  template <typename Response>
  using Callback = std::function<void(absl::StatusOr<Response>)>;

  struct CallOptions {
    base::Duration timeout = std::chrono::milliseconds(2000);
    telemetry::TraceContext trace;
  };

  virtual void LoadContext(const mesh::session::v1::LoadContextRequest& request, const CallOptions& options,
                           Callback<mesh::session::v1::LoadContextResponse> on_done) = 0;
  virtual void AppendTurn(const mesh::session::v1::AppendTurnRequest& request, const CallOptions& options,
                          Callback<mesh::session::v1::AppendTurnResponse> on_done) = 0;
  virtual void SetOutcome(const mesh::session::v1::SetOutcomeRequest& request, const CallOptions& options,
                          Callback<mesh::session::v1::SetOutcomeResponse> on_done) = 0;
  virtual void LinkIdentity(const mesh::session::v1::LinkIdentityRequest& request, const CallOptions& options,
                            Callback<mesh::session::v1::LinkIdentityResponse> on_done) = 0;
  virtual void SetControl(const mesh::session::v1::SetControlRequest& request, const CallOptions& options,
                          Callback<mesh::session::v1::SetControlResponse> on_done) = 0;
  virtual void Unsend(const mesh::session::v1::UnsendRequest& request, const CallOptions& options,
                      Callback<mesh::session::v1::UnsendResponse> on_done) = 0;

  // Blocking, for tools.
  virtual absl::StatusOr<mesh::session::v1::IsDoneResponse> IsDone(const mesh::session::v1::IsDoneRequest& request,
                                                                   const CallOptions& options) = 0;
  virtual absl::StatusOr<mesh::session::v1::ForgetResponse> Forget(const mesh::session::v1::ForgetRequest& request,
                                                                   const CallOptions& options) = 0;
  virtual absl::StatusOr<mesh::session::v1::GetSessionResponse> GetSession(
      const mesh::session::v1::GetSessionRequest& request, const CallOptions& options) = 0;

  virtual bool connected() const = 0;  // the channel is ready now, for /readyz; starts connecting when it is idle
};

// --session-throttle-k, for the services that call session.
void RegisterThrottleOption(config::OptionTable& table, double* throttle_k);

}  // namespace session
