#pragma once

#include <string>
#include <string_view>

namespace json::internal {

// Writes `json` to `repaired` with each \uD800..\uDFFF escape that has no partner replaced by \ufffd. Returns false,
// and leaves `repaired` empty, when there is none. Looks at escapes only: text that is no JSON stays none.
bool ReplaceLoneSurrogates(std::string_view json, std::string& repaired);

}  // namespace json::internal
