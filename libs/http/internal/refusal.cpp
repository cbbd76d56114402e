#include "libs/http/internal/refusal.h"

#include <array>

namespace http::internal {
namespace {

struct RefusalFacts {
  std::string_view name;
  int status;
};

// In the order of the enumeration.
constexpr std::array<RefusalFacts, kRefusalCount> kFacts = {{
    {"none", 0},
    {"bad_request_line", 400},
    {"bad_target", 400},
    {"target_too_long", 414},
    {"unsupported_version", 505},
    {"bare_line_feed", 400},
    {"obsolete_fold", 400},
    {"bad_field_name", 400},
    {"bad_field_value", 400},
    {"too_many_fields", 431},
    {"header_too_large", 431},
    {"bad_content_length", 400},
    {"repeated_content_length", 400},
    {"length_and_coding", 400},
    {"unknown_coding", 501},
    {"missing_host", 400},
    {"bad_host", 400},
    {"unknown_expectation", 417},
    {"malformed", 400},
    {"body_too_large", 413},
    {"bad_body", 400},
    {"memory", 503},
    {"header_timeout", 408},
    {"body_timeout", 408},
    {"write_stall", 0},
    {"connections", 0},
    {"connections_per_peer", 0},
    {"descriptors", 0},
}};
static_assert(!kFacts.back().name.empty(), "every refusal has a name");

}  // namespace

std::string_view ToString(Refusal refusal) { return kFacts[static_cast<std::size_t>(refusal)].name; }

int StatusOf(Refusal refusal) { return kFacts[static_cast<std::size_t>(refusal)].status; }

}  // namespace http::internal
