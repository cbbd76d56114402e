#include "libs/redis/reply.h"

#include <algorithm>
#include <array>

#include "libs/base/str_cat.h"

namespace redis {
namespace {

// Lower-case twin of each word, because metric label values are lower case.
struct ErrorWord {
  std::string_view word;
  std::string_view kind;
  absl::StatusCode code;
  bool server_is_down;
  std::string_view advice;
};

constexpr std::string_view kOtherKind = "other";
constexpr std::string_view kAdviceCredentials = "; check --redis-username, --redis-password-file and the user's ACL";

constexpr std::array<ErrorWord, 14> kErrorWords{{
    {"LOADING", "loading", absl::StatusCode::kUnavailable, true, ""},
    {"MISCONF", "misconf", absl::StatusCode::kUnavailable, true, "; is the disk of Redis full?"},
    {"READONLY", "readonly", absl::StatusCode::kUnavailable, true, "; --redis-host must name the primary"},
    {"OOM", "oom", absl::StatusCode::kUnavailable, true, "; raise maxmemory of Redis"},
    {"BUSY", "busy", absl::StatusCode::kUnavailable, true, ""},
    {"MASTERDOWN", "masterdown", absl::StatusCode::kUnavailable, true, ""},
    {"CLUSTERDOWN", "clusterdown", absl::StatusCode::kUnavailable, true, ""},
    {"TRYAGAIN", "tryagain", absl::StatusCode::kUnavailable, false, ""},
    {"NOREPLICAS", "noreplicas", absl::StatusCode::kUnavailable, true, ""},
    {"NOAUTH", "noauth", absl::StatusCode::kUnavailable, true, kAdviceCredentials},
    {"WRONGPASS", "wrongpass", absl::StatusCode::kUnavailable, true, kAdviceCredentials},
    {"NOPERM", "noperm", absl::StatusCode::kUnavailable, false, kAdviceCredentials},
    {"NOSCRIPT", "noscript", absl::StatusCode::kNotFound, false, ""},
    {"WRONGTYPE", "wrongtype", absl::StatusCode::kInternal, false, ""},
}};

const ErrorWord* FindWord(std::string_view message) {
  // A failure inside a script comes with the same first word since Redis 7; before, and for the connection limit, it
  // stands behind "ERR".
  const std::string_view first = message.substr(0, message.find(' '));
  const auto found = std::find_if(kErrorWords.begin(), kErrorWords.end(),
                                  [first](const ErrorWord& known) { return known.word == first; });
  return found == kErrorWords.end() ? nullptr : &*found;
}

}  // namespace

absl::Status StatusFromErrorReply(std::string_view message) {
  if (message.starts_with("ERR max number of clients reached")) {
    return absl::UnavailableError(base::StrCat("Redis answered: ", message, "; raise maxclients of Redis"));
  }
  const ErrorWord* const word = FindWord(message);
  if (word == nullptr) return absl::InternalError(base::StrCat("Redis answered: ", message));
  return absl::Status(word->code, base::StrCat("Redis answered: ", message, word->advice));
}

std::string_view ErrorKind(std::string_view message) {
  const ErrorWord* const word = FindWord(message);
  return word == nullptr ? kOtherKind : word->kind;
}

std::span<const std::string_view> ErrorKinds() {
  static constexpr auto kKinds = [] {
    std::array<std::string_view, kErrorWords.size() + 1> kinds{};
    std::transform(kErrorWords.begin(), kErrorWords.end(), kinds.begin(),
                   [](const ErrorWord& word) { return word.kind; });
    kinds.back() = kOtherKind;
    return kinds;
  }();
  return kKinds;
}

bool SaysServerIsDown(std::string_view message) {
  const ErrorWord* const word = FindWord(message);
  return word != nullptr && word->server_is_down;
}

absl::Status Reply::ErrorStatus() const { return kind == Kind::kError ? StatusFromErrorReply(text) : absl::OkStatus(); }

}  // namespace redis
