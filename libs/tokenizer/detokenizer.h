#pragma once

#include <string>

#include "libs/tokenizer/tokenizer.h"

namespace tokenizer {

// Turns a stream of tokens into a stream of text. Only whole code points leave: a token that ends inside one is held
// back (at most 3 bytes) until the next completes it. Ill-formed bytes leave as U+FFFD, so the output is always valid
// UTF-8, and the concatenation of everything equals Tokenizer::Decode of all tokens. The space that encoding puts
// before a text (Tokenizer::add_space_prefix) is taken off the first token again.
//
// Threading: confined to one sequence. Ownership: the tokenizer must outlive it.
class Detokenizer {
 public:
  explicit Detokenizer(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}

  void Append(TokenId id, std::string& out);  // appends to `out` what became certain; control tokens add nothing
  void Finish(std::string& out);              // appends what was held back; a cut code point becomes one U+FFFD

 private:
  const Tokenizer* tokenizer_;
  std::string pending_;  // the start of a code point
  bool at_start_ = true;
};

}  // namespace tokenizer
