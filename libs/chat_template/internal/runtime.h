#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/chat_template/internal/value.h"
#include "libs/chat_template/template.h"

namespace chat_template::internal {

// What one rendering may still do, and the namespaces that it made. Each operation asks before it works, so no template
// can run long or grow large, whatever the conversation. Confined to one rendering.
class Runtime {
 public:
  Runtime(const Limits& limits, std::chrono::system_clock::time_point now)
      : steps_left_(limits.steps_max), copied_bytes_left_(limits.copied_bytes_max), now_(now) {}

  // Both throw TemplateError (OutOfRange) when the rendering has used up its limit.
  void Step(std::uint64_t count = 1);
  void Copy(std::size_t bytes);  // text of this size is about to be built

  // One level of recursion (expressions, statements, macros, filters that call filters) while it lives. OutOfRange
  // (thrown) beyond a depth that fits a thread's stack.
  class Level {
   public:
    explicit Level(Runtime& runtime);
    ~Level() { --runtime_->depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Runtime* runtime_;
  };

  Namespace* NewNamespace();
  std::chrono::system_clock::time_point now() const { return now_; }

 private:
  std::uint64_t steps_left_;
  std::uint64_t copied_bytes_left_;
  std::chrono::system_clock::time_point now_;
  int depth_ = 0;
  std::vector<std::unique_ptr<Namespace>> namespaces_;
};

// The arguments of a call, evaluated.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string_view, Value>> named;

  // The argument that is given at `index` or by `name`; nullptr: neither.
  const Value* Find(std::size_t index, std::string_view name) const;
  // Throws FailedPrecondition (thrown by all) when it is missing or of another type.
  const Value& Get(std::size_t index, std::string_view name) const;
  const MarkedText& GetText(std::size_t index, std::string_view name) const;
  std::int64_t GetInteger(std::size_t index, std::string_view name, std::int64_t otherwise) const;
  bool GetBool(std::size_t index, std::string_view name, bool otherwise) const;
};

}  // namespace chat_template::internal
