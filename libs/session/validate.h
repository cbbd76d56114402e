#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "proto/session/v1/session.pb.h"

namespace session {

// What a request may hold. Anything else is InvalidArgument and never reaches Redis; the message names the field.
constexpr std::size_t kConversationPartBytesMax = 256;
constexpr std::size_t kTurnIdBytes = 32;
constexpr std::size_t kTextBytesMax = 64 * 1024;
constexpr int kTurnIdsMax = 1000;
constexpr std::int32_t kTurnsReturnedMax = 1000;
// Redis scripts count in doubles. `turns` offsets share them with the number of moves (see Store::LinkIdentity).
constexpr std::int64_t kTurnsOffsetMax = (std::int64_t{1} << 44) - 1;
constexpr std::int64_t kRepliesOffsetMax = (std::int64_t{1} << 53) - 1;
constexpr std::int64_t kTimeMsMax = kRepliesOffsetMax;
constexpr std::int32_t kTokensMax = 1 << 24;

absl::Status Validate(const mesh::session::v1::LoadContextRequest& request);
absl::Status Validate(const mesh::session::v1::AppendTurnRequest& request);
absl::Status Validate(const mesh::session::v1::SetOutcomeRequest& request);
absl::Status Validate(const mesh::session::v1::IsDoneRequest& request);
absl::Status Validate(const mesh::session::v1::ForgetRequest& request);
absl::Status Validate(const mesh::session::v1::GetSessionRequest& request);
absl::Status Validate(const mesh::session::v1::LinkIdentityRequest& request);
absl::Status Validate(const mesh::session::v1::SetControlRequest& request);
absl::Status Validate(const mesh::session::v1::UnsendRequest& request);

}  // namespace session
