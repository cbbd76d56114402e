#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sampler {

// Finds stop strings in text that arrives in pieces, wherever the pieces are cut, and never lets a part of one out:
// text that may still become a stop string is held back until it is decided.
//
// The match that ends first wins; of several that end together, the longest. Bytes are compared as they are.
// Cost: O(stops) a byte (Knuth, Morris, Pratt 1977).
// Threading: confined to one sequence.
class StopMatcher {
 public:
  explicit StopMatcher(const std::vector<std::string>& stops);  // REQUIRES: none is empty

  // Appends to `out` what is certain not to belong to a stop string. True: a stop string is complete; `out` then ends
  // just before it, and what followed it in `text` is dropped. REQUIRES: no earlier call returned true.
  [[nodiscard]] bool Append(std::string_view text, std::string& out);

  // The text ended without a stop string: appends what was held back.
  void Finish(std::string& out);

 private:
  struct Pattern {
    std::string text;
    std::vector<std::size_t> fallback;  // [text.size()] longest border of text[0..i]
    std::size_t matched = 0;            // longest prefix of `text` that ends the input so far
  };

  std::vector<Pattern> patterns_;
  std::string held_;  // as long as the largest `matched`
  bool stopped_ = false;
};

}  // namespace sampler
