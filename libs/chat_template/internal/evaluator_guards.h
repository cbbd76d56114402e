#pragma once

#include <utility>

#include "libs/chat_template/internal/evaluator.h"

namespace chat_template::internal {

// Opens a scope inside `parent` and closes it again, also when a TemplateError passes.
class Evaluator::ScopeGuard {
 public:
  ScopeGuard(Evaluator* evaluator, std::size_t parent) : evaluator_(evaluator), outer_(evaluator->scope_) {
    evaluator_->scopes_.push_back({.parent = parent, .names = {}});
    evaluator_->scope_ = evaluator_->scopes_.size() - 1;
  }
  ~ScopeGuard() {
    evaluator_->scopes_.pop_back();
    evaluator_->scope_ = outer_;
  }
  ScopeGuard(const ScopeGuard&) = delete;
  ScopeGuard& operator=(const ScopeGuard&) = delete;

 private:
  Evaluator* evaluator_;
  std::size_t outer_;
};

// Sends what is printed to another text while it lives.
class Evaluator::OutputGuard {
 public:
  OutputGuard(Evaluator* evaluator, MarkedText* output)
      : evaluator_(evaluator), outer_(std::exchange(evaluator->output_, output)) {}
  ~OutputGuard() { evaluator_->output_ = outer_; }
  OutputGuard(const OutputGuard&) = delete;
  OutputGuard& operator=(const OutputGuard&) = delete;

 private:
  Evaluator* evaluator_;
  MarkedText* outer_;
};

}  // namespace chat_template::internal
