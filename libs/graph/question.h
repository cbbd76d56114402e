#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "libs/account/account.h"
#include "libs/http/client.h"

// What the Graph API tells about an account itself: its token, its quality, its webhook subscription. `meshctl account
// check` asks on demand, the exporter on a timer. Sends are the business of libs/channel.
namespace graph {

// Sends one request and waits for its answer, as http::Client::SendAndWait does.
using SendAndWait = std::function<http::ClientResult(http::ClientRequest)>;

// Why a question about an account got no answer, by what its error is about (channel::GraphErrorClass). Names are
// metric labels.
enum class Trouble {
  kUnreachable,  // no HTTP answer at all
  kToken,        // the access token is dead
  kPermission,   // the token is alive and may not ask this
  kUnknownId,    // no such id, or no such field of it, for this token
  kLimited,      // too many calls; also HTTP 429
  kOther,
  kCount,
};
std::string_view ToString(Trouble trouble);  // "unreachable", "token", ...

// `found` and `advice` are for people; secrets never stand in them, even where Meta's words repeat one.
struct Refusal {
  Trouble trouble = Trouble::kOther;
  std::string found;
  std::string advice;
  std::int64_t code = -1;  // Meta's; -1: it named none
};

struct Answer {
  // Exactly one of the two is meaningful.
  bool ok = false;       // HTTP 200
  std::string body;      // at most kAnswerBytesMax
  Refusal refusal = {};  // why not
};

inline constexpr std::int64_t kAnswerBytesMax = 64 << 10;

// Asks with the account's token. `path` is what follows the version, with its query: "106540352242922?fields=id".
// Gives up after 10 s. The token leaves as a header, so that no proxy writes it down.
Answer Ask(const account::Account& account, std::string_view method, std::string_view path, const SendAndWait& send);
// The same with another token than the account's.
Answer AskAs(std::string_view token, const account::Account& account, std::string_view method, std::string_view path,
             const SendAndWait& send);

std::string PercentEncoded(std::string_view text);  // every byte, whatever it is

}  // namespace graph
