#include "libs/records/reply_record.h"

#include <cstddef>
#include <utility>

#include "libs/base/str_cat.h"
#include "libs/bus/headers.h"
#include "libs/identity/identity.h"

namespace records {
namespace {

using mesh::bus::v1::ReplyRecord;

constexpr std::size_t kTurnIdBytes = 32;

}  // namespace

Decoded<ReplyRecord> DecodeReply(const bus::Record& record) {
  if (!bus::IsOfType(record.headers, kReplyType)) {
    return Refusal{RefusalReason::kUnknownSchema,
                   base::StrCat("ce_type is not ", kReplyType, "; a newer version wrote it")};
  }
  ReplyRecord decoded;
  if (record.value.empty() || !decoded.ParseFromString(record.value)) {
    return Refusal{RefusalReason::kUndecodable, "not a ReplyRecord"};
  }
  if (decoded.body_case() == ReplyRecord::BODY_NOT_SET) {
    return Refusal{RefusalReason::kUnknownSchema, "a body of a newer version"};
  }
  if (TurnIdOf(decoded).size() != kTurnIdBytes) {
    return Refusal{RefusalReason::kUndecodable, "turn_id is not 32 bytes"};
  }
  const auto& conversation = decoded.has_reply() ? decoded.reply().conversation() : decoded.supersede().conversation();
  if (identity::KeyOf(conversation).value() != record.key) {
    return Refusal{RefusalReason::kKeyMismatch, "key is not the conversation's"};
  }
  return decoded;
}

Decoded<mesh::bus::v1::Reply> DecodeParked(const bus::Record& record) {
  Decoded<ReplyRecord> decoded = DecodeReply(record);
  if (!decoded.ok()) return decoded.refusal();
  if (!decoded->has_reply()) return Refusal{RefusalReason::kUndecodable, "no reply"};
  ReplyRecord value = *std::move(decoded);
  return std::move(*value.mutable_reply());
}

const std::string& TurnIdOf(const ReplyRecord& record) {
  return record.has_supersede() ? record.supersede().turn_id() : record.reply().turn_id();
}

}  // namespace records
