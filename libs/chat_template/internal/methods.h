#pragma once

#include <string_view>

#include "libs/chat_template/internal/runtime.h"
#include "libs/chat_template/internal/value.h"

namespace chat_template::internal {

// Methods of text (strip, split, startswith, ...) and of dicts (items, keys, values, get). Nothing else has methods,
// and none changes its object: the reference environment forbids that too.
bool HasMethod(const Value& self, std::string_view name);

// REQUIRES: HasMethod(self, name). Throws TemplateError for arguments that the method has no meaning for.
Value CallMethod(Runtime& runtime, const Value& self, std::string_view name, const Arguments& arguments);

// The pairs of a dict, as Python's dict.items() gives them.
Value DictItems(Runtime& runtime, const Dict& dict);

}  // namespace chat_template::internal
