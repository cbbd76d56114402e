#pragma once

#include <string>

#include "absl/status/status.h"
#include "libs/http/client.h"

namespace fakes {

// What the Graph API of SmallCodec does with one POST, and how its caller sees it.
enum class GraphBehaviour {
  kAccept,         // shown, answered
  kAcceptAndDrop,  // shown, the answer is lost
  kDrop,           // not shown, no answer
  kRefuse,         // "later", with an error object
  kRefuseOnce,     // "later", but never after the second time
  kPark,           // dead token
  kFail,           // never
  kTooLate,        // never, for the user has been silent for too long
  kUnreachable,    // connect fails
};

inline bool IsShown(GraphBehaviour behaviour) {
  return behaviour == GraphBehaviour::kAccept || behaviour == GraphBehaviour::kAcceptAndDrop;
}
inline bool IsAnswered(GraphBehaviour behaviour) {
  return behaviour != GraphBehaviour::kAcceptAndDrop && behaviour != GraphBehaviour::kDrop;
}

// `message_id` is what the message got where it was shown.
inline http::ClientResult ResultOf(GraphBehaviour behaviour, const std::string& message_id) {
  http::ClientResult result;
  result.ok = IsAnswered(behaviour) && behaviour != GraphBehaviour::kUnreachable;
  switch (behaviour) {
    case GraphBehaviour::kAccept:
      result.response.body = message_id;
      break;
    case GraphBehaviour::kAcceptAndDrop:
    case GraphBehaviour::kDrop:
      result.failure = {absl::DeadlineExceededError("no answer"), http::SendCertainty::kMaybeSent};
      break;
    case GraphBehaviour::kRefuse:
      result.response.body = "refuse";
      break;
    case GraphBehaviour::kRefuseOnce:
      result.response.body = "refuse twice and it is for good";
      break;
    case GraphBehaviour::kPark:
      result.response.body = "park";
      break;
    case GraphBehaviour::kFail:
      result.response.body = "fail";
      break;
    case GraphBehaviour::kTooLate:
      result.response.body = "too late";
      break;
    case GraphBehaviour::kUnreachable:
      result.failure = {absl::UnavailableError("connect"), http::SendCertainty::kNotSent};
      break;
  }
  return result;
}

}  // namespace fakes
