#include "libs/tokenizer/detokenizer.h"

#include "libs/unicode/utf8.h"

namespace tokenizer {

void Detokenizer::Append(TokenId id, std::string& out) {
  pending_.append(tokenizer_->TokenBytes(id));
  const std::size_t complete = unicode::CompleteUtf8Prefix(pending_);
  out.append(unicode::SanitizeUtf8(std::string_view(pending_).substr(0, complete)));
  pending_.erase(0, complete);
}

void Detokenizer::Finish(std::string& out) {
  out.append(unicode::SanitizeUtf8(pending_));
  pending_.clear();
}

}  // namespace tokenizer
