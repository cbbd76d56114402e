#pragma once

#include <string_view>

#include "libs/chat_template/internal/runtime.h"
#include "libs/chat_template/internal/value.h"

namespace chat_template::internal {

// Jinja's filters (`x | trim`), those that chat templates use.
bool IsFilter(std::string_view name);

// REQUIRES: IsFilter(name). Throws TemplateError for values that the filter has no meaning for.
Value ApplyFilter(Runtime& runtime, std::string_view name, const Value& value, const Arguments& arguments);

}  // namespace chat_template::internal
