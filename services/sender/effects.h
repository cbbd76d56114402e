#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/account/account.h"
#include "libs/base/clock.h"
#include "libs/bus/dead_letter.h"
#include "libs/bus/headers.h"
#include "libs/bus/record.h"
#include "libs/channel/codec.h"
#include "libs/http/client.h"
#include "libs/ledger/ledger_record.h"
#include "libs/telemetry/trace.h"
#include "proto/bus/v1/audit.pb.h"
#include "proto/bus/v1/bus.pb.h"
#include "proto/session/v1/session.pb.h"

namespace sender {

// Why a reply stands in `parked`; said in the header "mesh-parked" of its copy.
enum class ParkReason {
  kAccount,  // its account cannot send: the sender takes it back by itself
  kInDoubt,  // nobody knows whether it was shown: an operator decides
};
inline constexpr std::string_view kParkReasonHeader = "mesh-parked";
constexpr std::string_view ToString(ParkReason reason) {
  return reason == ParkReason::kAccount ? "account" : "in_doubt";
}

// The copy that goes to `parked`; a reply that was there before loses what was said of it then.
inline bus::Record ParkedCopy(bus::Record origin, ParkReason reason) {
  bus::SetHeader(origin.headers, kParkReasonHeader, std::string(ToString(reason)));
  return origin;
}

// Everything the sender's state machines do to the world, and all they know of time. The process implements it over
// Kafka, HTTP and gRPC (LiveEffects); tests and the simulator over a made-up world, so that every order of events and a
// crash between any two of them can be played.
//
// Threading: called on the sender's loop; nothing blocks; every callback runs later, on the loop, once. A callback may
//            run after its caller has lost interest: callers check for themselves.
class Effects {
 public:
  virtual ~Effects() = default;

  virtual base::MonotonicTime Now() const = 0;
  virtual std::int64_t WallMs() const = 0;
  virtual void RunAfter(base::Duration delay, std::function<void()> task) = 0;

  // Appends to the ledger partition; OK carries the offset. Errors as bus::DeliveryCallback.
  using Appended = std::function<void(absl::StatusOr<std::int64_t>)>;
  virtual void AppendLedger(std::int32_t partition, const ledger::LedgerEntry& entry,
                            const telemetry::TraceContext& trace, Appended on_done) = 0;

  // One call of the Graph API. `may_send` is asked on another thread right before the first byte leaves.
  struct Send {
    channel::OutboundRequest request;
    telemetry::TraceContext trace;
    base::Duration timeout{};
    std::function<bool()> may_send;
  };
  virtual void Post(Send send, std::function<void(http::ClientResult)> on_done) = 0;

  using Written = std::function<void(absl::Status)>;
  virtual void WriteDeadLetter(const bus::Record& origin, bus::DeadLetterReason reason, std::string_view detail,
                               std::uint32_t attempts, Written on_done) = 0;
  // Copies the record to `parked`, whole, at the partition of the same number; OK carries the offset there.
  virtual void WriteParked(const bus::Record& origin, ParkReason reason, Appended on_done) = 0;
  // The copies at these offsets, which rise, as they were given to WriteParked but for the offset, which is the copy's.
  // One that the topic no longer holds is left out.
  virtual void ReadParked(std::int32_t partition, const std::vector<std::int64_t>& offsets,
                          std::function<void(absl::StatusOr<std::vector<bus::Record>>)> on_done) = 0;
  // Appends to `replies`, in the conversation's partition: the polite notice of a reply that was given up.
  virtual void WriteReply(const std::string& conversation_key, const mesh::bus::v1::ReplyRecord& record,
                          const telemetry::TraceContext& trace, Written on_done) = 0;

  // Appends to `audit`.
  virtual void WriteAudit(const mesh::bus::v1::AuditRecord& audit, const telemetry::TraceContext& trace,
                          Written on_done) = 0;

  // Tells the session service, with retries of its own for as long as the process lives. `on_answered`: it was taken,
  // or it never will be (refused, or more reports wait than are kept).
  virtual void ReportOutcome(const mesh::session::v1::SetOutcomeRequest& report, const telemetry::TraceContext& trace,
                             std::function<void()> on_answered) = 0;

  // As account::AccountBook::FindFor: nullptr when it is not configured (any more), or another tenant's now.
  virtual std::shared_ptr<const account::Account> FindAccount(
      const mesh::bus::v1::ConversationId& conversation) const = 0;
  virtual const channel::Codec* FindCodec(mesh::bus::v1::Channel channel) const = 0;

  // How much of the time since then is covered by delivery statuses: whichever of them could be written by then in this
  // partition has been read by some sender, and is evidence in the ledger. Stands still while nobody knows.
  virtual base::Duration StatusesCoveredSince(std::int32_t partition, base::MonotonicTime since) = 0;
};

}  // namespace sender
