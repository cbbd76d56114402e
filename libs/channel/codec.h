#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/account/account.h"
#include "libs/channel/event.h"
#include "libs/channel/graph_error.h"
#include "proto/bus/v1/bus.pb.h"

namespace channel {

// A request of the Graph API, ready for http::Client.
struct OutboundRequest {
  std::string url;
  std::string body;           // JSON
  std::string authorization;  // "Bearer ..."; never logged
};

// What the platform's answer means. Actions: channels.md 3.2.
enum class SendVerdict {
  kAccepted,  // has a message id
  kRetry,     // certainly not shown; later may work (rate limits, is_transient with an error object)
  kPark,      // the account cannot send (dead token, policy): hold its replies
  kFail,      // certainly not shown and never will be
  kInDoubt,   // may have been shown: no Graph error object (but 407, 429), unreadable 2xx
};

// Whom a retry must hold back, so that one limit is not burnt again by everybody else's sends.
enum class BackoffScope {
  kReply,    // this reply alone
  kUser,     // everything to this user: pair rate (131056)
  kAccount,  // everything of this account: throughput, call rate, dead token
};

struct SendAnswer {
  SendVerdict verdict = SendVerdict::kInDoubt;
  BackoffScope backoff_scope = BackoffScope::kReply;
  bool retry_once = false;  // of kRetry: refused again, it never will be taken
  std::string message_id;
  std::int32_t error_code = 0;  // -1: an error object without one
  std::int32_t error_subcode = 0;
  GraphErrorClass error_class = GraphErrorClass::kUnknown;
  std::string error_title;  // for logs: Meta's words, at most 200 bytes, no user text
  std::string fbtrace_id;
};

// What a user is shown of a message that is being answered.
enum class PresenceKind { kRead, kTyping, kReadAndTyping };

inline constexpr std::size_t kTextPartsMax = 20;   // of one reply's text
inline constexpr std::size_t kReplyPartsMax = 32;  // of one reply, rich parts among them

// One channel's wire format: pure functions between bytes and meaning; no I/O, no clock, no state.
// Unknown fields and types never fail. Threading: const methods, safe from any thread.
class Codec {
 public:
  virtual ~Codec() = default;

  virtual mesh::bus::v1::Channel channel() const = 0;

  // Every item of a webhook body, in the order in which it stands. InvalidArgument, with one of UnusableReasons() as
  // its message: the body as a whole cannot be used.
  virtual absl::StatusOr<std::vector<Event>> Decode(std::string_view body) const = 0;

  // One send. `part` is text as Split cut it, or what Fit made of a rich part. `reply_id_hex` travels with the send
  // where the channel has a field for it. Every send is an answer of a bot to its user: no message tag, HUMAN_AGENT
  // least of all (channels.md 5).
  virtual OutboundRequest EncodePart(const account::Account& account, std::string_view user,
                                     const mesh::bus::v1::OutboundPart& part, std::string_view in_reply_to_message_id,
                                     std::string_view reply_id_hex) const = 0;

  virtual SendAnswer DecodeAnswer(int http_status, std::string_view body) const = 0;

  // Shows `kind` for the user's message (channels.md 3.1): WhatsApp in one request, Messenger and Instagram in one each
  // for read and typing. Typing ends with the reply, or after 25 s (WhatsApp) or about 20 s; sent again it goes on.
  // None where the channel wants the message's id and it has none of the platform's ("derived:"). Success is a 2xx
  // without an error object; of an error DecodeAnswer knows what it means.
  virtual std::vector<OutboundRequest> EncodePresence(const account::Account& account, std::string_view user,
                                                      std::string_view message_id, PresenceKind kind) const = 0;

  // Turns Markdown into what the channel's apps show, and cuts at paragraph, sentence, word, then grapheme boundaries
  // so that each part fits the channel's limit (characters or bytes). Parts are never empty; concatenated without the
  // white space at the cuts they are the formatted text, but for the marks that close a code block at a cut and open it
  // again (WhatsApp). At most `parts_max`; the last is then cut with an ellipsis.
  // REQUIRES: parts_max > 0
  virtual std::vector<std::string> Split(std::string_view text, std::size_t parts_max = kTextPartsMax) const = 0;

  // What is sent of a part, in order: the part itself where the channel has its kind, with what is too long cut, else
  // what comes closest to it (the table in docs/rich-answers.md). Empty where nothing of it can be said. Captions and
  // questions are Markdown; titles are cut at graphemes.
  virtual std::vector<mesh::bus::v1::OutboundPart> Fit(const mesh::bus::v1::OutboundPart& part) const = 0;
};

// Lives for the whole process. nullptr for channels without a codec (web, api).
const Codec* FindCodec(mesh::bus::v1::Channel channel);

// X-Hub-Signature-256 over the raw body: exactly "sha256=" and 64 lower-case hex digits (channels.md 1.2).
bool SignatureMatches(std::string_view header, std::string_view raw_body,
                      const std::vector<crypto::Secret>& app_secrets);
std::string SignatureFor(std::string_view raw_body, const crypto::Secret& app_secret);  // for tools and tests

}  // namespace channel
