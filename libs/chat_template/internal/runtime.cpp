#include "libs/chat_template/internal/runtime.h"

#include "libs/base/str_cat.h"
#include "libs/chat_template/internal/error.h"

namespace chat_template::internal {
namespace {

// A level takes about 1 KiB of stack (4 KiB under AddressSanitizer), and threads have 8 MiB.
constexpr int kDepthMax = 500;

}  // namespace

Runtime::Level::Level(Runtime& runtime) : runtime_(&runtime) {
  if (runtime.depth_ >= kDepthMax) Fail(absl::StatusCode::kOutOfRange, "the chat template recurses too deep");
  ++runtime.depth_;
}

void Runtime::Step(std::uint64_t count) {
  if (count > steps_left_) Fail(absl::StatusCode::kOutOfRange, "the chat template takes too many steps");
  steps_left_ -= count;
}

void Runtime::Copy(std::size_t bytes) {
  if (bytes > copied_bytes_left_) Fail(absl::StatusCode::kOutOfRange, "the chat template builds too much text");
  copied_bytes_left_ -= bytes;
}

Namespace* Runtime::NewNamespace() {
  Step();
  return namespaces_.emplace_back(std::make_unique<Namespace>()).get();
}

const Value* Arguments::Find(std::size_t index, std::string_view name) const {
  if (index < positional.size()) return &positional[index];
  for (const auto& [given, value] : named) {
    if (given == name) return &value;
  }
  return nullptr;
}

const Value& Arguments::Get(std::size_t index, std::string_view name) const {
  const Value* value = Find(index, name);
  if (value == nullptr) FailOperation(base::StrCat("argument \"", name, "\" is missing"));
  return *value;
}

const MarkedText& Arguments::GetText(std::size_t index, std::string_view name) const {
  const Value& value = Get(index, name);
  if (value.AsText() == nullptr)
    FailOperation(base::StrCat("argument \"", name, "\" is ", value.TypeName(), ", not str"));
  return *value.AsText();
}

std::int64_t Arguments::GetInteger(std::size_t index, std::string_view name, std::int64_t otherwise) const {
  const Value* value = Find(index, name);
  if (value == nullptr || value->IsNone()) return otherwise;
  if (!value->IsInteger()) FailOperation(base::StrCat("argument \"", name, "\" is ", value->TypeName(), ", not int"));
  return value->Integer();
}

bool Arguments::GetBool(std::size_t index, std::string_view name, bool otherwise) const {
  const Value* value = Find(index, name);
  return value == nullptr ? otherwise : value->Truthy();
}

}  // namespace chat_template::internal
