#include "libs/tokenizer/detokenizer.h"

#include "libs/unicode/utf8.h"

namespace tokenizer {

void Detokenizer::Append(TokenId id, std::string& out) {
  std::string_view bytes = tokenizer_->TokenBytes(id);
  if (bytes.empty()) return;
  if (at_start_ && tokenizer_->add_space_prefix() && bytes.front() == ' ') bytes.remove_prefix(1);
  at_start_ = false;
  pending_.append(bytes);
  const std::size_t complete = unicode::CompleteUtf8Prefix(pending_);
  out.append(unicode::SanitizeUtf8(std::string_view(pending_).substr(0, complete)));
  pending_.erase(0, complete);
}

void Detokenizer::Finish(std::string& out) {
  out.append(unicode::SanitizeUtf8(pending_));
  pending_.clear();
}

}  // namespace tokenizer
