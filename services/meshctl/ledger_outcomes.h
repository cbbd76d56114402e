#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "proto/bus/v1/bus.pb.h"
#include "proto/session/v1/session.pb.h"

namespace meshctl {

// What one partition of `send-ledger` says became of each reply, as the reports that tell session. Pure; the rules are
// those of the sender's ledger (design.md, "Life of a turn" step 8), read here a second time on purpose: what rebuilds
// the history must not depend on the process that may have spoiled it.
//
// Memory: at most `turns_max` replies, the oldest go first; evidence about one that is gone (read weeks later) is lost.
// Threading: none.
class LedgerOutcomes {
 public:
  explicit LedgerOutcomes(std::size_t turns_max) : turns_max_(turns_max) {}

  // REQUIRES: offsets rise. A report when the record settles a reply, or tells more of a settled one.
  std::optional<mesh::session::v1::SetOutcomeRequest> Apply(std::int64_t offset,
                                                            const mesh::bus::v1::LedgerRecord& record);

 private:
  enum class State { kOpen, kClaimed, kSent, kFailed, kSuperseded, kParked };
  struct Part {
    std::string reply_id;
    std::string text_digest;
    std::string message_id;
    State state = State::kOpen;
    std::int64_t claim_offset = 0;
    mesh::bus::v1::DeliveryState delivery = mesh::bus::v1::DELIVERY_STATE_UNSPECIFIED;
  };
  struct Planned {
    mesh::session::v1::SetOutcomeRequest report;  // with the last outcome told
    std::string conversation_key;
    std::vector<Part> parts;
    bool fallback = false;  // says nothing about the reply in whose place it was sent
  };
  struct Place {
    Planned* turn = nullptr;
    std::size_t part = 0;
  };
  using Report = std::optional<mesh::session::v1::SetOutcomeRequest>;

  static std::string KeyOf(const std::string& turn_id, std::uint32_t generation, bool fallback);
  Report ApplySupersede(const mesh::bus::v1::LedgerSupersede& supersede) const;
  Report ApplyPlan(const mesh::bus::v1::LedgerPlan& plan);
  void ApplyClaim(std::int64_t offset, const mesh::bus::v1::LedgerClaim& claim);
  Report ApplySent(const mesh::bus::v1::LedgerSent& sent);
  Report ApplyEvidence(const mesh::bus::v1::LedgerEvidence& evidence);
  Place PlaceOf(const mesh::bus::v1::LedgerEvidence& evidence) const;
  Place PlaceOf(const std::string& reply_id) const;
  void SetMessageId(Place place, const std::string& message_id);
  static Report ReportOf(Planned& turn);
  void DropOldest();

  const std::size_t turns_max_;
  std::int64_t last_takeover_ = -1;
  absl::flat_hash_map<std::string, std::unique_ptr<Planned>> turns_;
  std::deque<std::string> by_age_;
  absl::flat_hash_map<std::string, Place> by_reply_;
  absl::flat_hash_map<std::string, Place> by_message_;
  absl::flat_hash_map<std::string, std::vector<Place>> claimed_;  // by conversation; without a message id yet
};

}  // namespace meshctl
