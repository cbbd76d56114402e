#pragma once

#include <string_view>

namespace config {

std::string_view Version();  // of the project: "0.1.0"
std::string_view Commit();   // what was checked out when the build was configured, "unknown" outside git

}  // namespace config
