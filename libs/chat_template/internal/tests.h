#pragma once

#include <string_view>

#include "libs/chat_template/internal/runtime.h"
#include "libs/chat_template/internal/value.h"

namespace chat_template::internal {

// Jinja's tests (`x is defined`), which have nothing to do with the tests of this project.
bool IsTest(std::string_view name);

// REQUIRES: IsTest(name). Throws TemplateError for operands that the test has no meaning for.
bool ApplyTest(Runtime& runtime, std::string_view name, const Value& value, const Arguments& arguments);

}  // namespace chat_template::internal
