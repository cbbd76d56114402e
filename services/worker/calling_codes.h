#pragma once

#include <string_view>

namespace worker {

// The calling codes of a country (ISO 3166-1 alpha-2, upper case), digits, separated by spaces; with the area code
// where countries share one ("BS" is "1242"). A country that has a share of another's numbers without an area code of
// its own has that country's ("GG" is "44"). Empty: no such country. Source: ITU-T E.164, list of assigned country
// codes.
std::string_view CallingCodesOf(std::string_view country);

}  // namespace worker
