#pragma once

#include "libs/chat_template/internal/runtime.h"
#include "libs/chat_template/internal/value.h"

namespace chat_template::internal {

// The filters that take a list (or whatever a loop could go through) and their helpers; filters.cpp knows their names.
Value First(Runtime& runtime, const Value& value, const Arguments& arguments);
Value Last(Runtime& runtime, const Value& value, const Arguments& arguments);
Value ListFilter(Runtime& runtime, const Value& value, const Arguments& arguments);
Value Reverse(Runtime& runtime, const Value& value, const Arguments& arguments);
Value JoinFilter(Runtime& runtime, const Value& value, const Arguments& arguments);
Value Map(Runtime& runtime, const Value& value, const Arguments& arguments);
Value Select(Runtime& runtime, const Value& value, const Arguments& arguments);
Value Reject(Runtime& runtime, const Value& value, const Arguments& arguments);
Value SelectAttribute(Runtime& runtime, const Value& value, const Arguments& arguments);
Value RejectAttribute(Runtime& runtime, const Value& value, const Arguments& arguments);
Value Sort(Runtime& runtime, const Value& value, const Arguments& arguments);
Value DictSort(Runtime& runtime, const Value& value, const Arguments& arguments);
Value Unique(Runtime& runtime, const Value& value, const Arguments& arguments);
Value Min(Runtime& runtime, const Value& value, const Arguments& arguments);
Value Max(Runtime& runtime, const Value& value, const Arguments& arguments);

}  // namespace chat_template::internal
