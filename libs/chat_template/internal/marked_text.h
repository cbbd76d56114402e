#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace chat_template::internal {

// UTF-8 text that knows for each byte whether it came from a user. Every operation on text in a template is built from
// Append and Slice, so marks cannot be lost on the way.
class MarkedText {
 public:
  struct Run {  // bytes from the end of the run before up to `end`, all of one origin; neighbours differ
    std::size_t end = 0;
    bool from_user = false;
  };

  MarkedText() = default;
  MarkedText(std::string_view text, bool from_user) { Append(text, from_user); }

  const std::string& text() const { return text_; }
  const std::vector<Run>& runs() const { return runs_; }
  std::size_t size() const { return text_.size(); }
  bool empty() const { return text_.empty(); }
  bool FromUserAt(std::size_t at) const;  // REQUIRES: at < size()

  void Append(std::string_view text, bool from_user);
  void Append(const MarkedText& other) { Append(other, 0, other.size()); }
  void Append(const MarkedText& other, std::size_t begin, std::size_t end);  // REQUIRES: begin <= end <= other.size()

  MarkedText Slice(std::size_t begin, std::size_t end) const;  // REQUIRES: begin <= end <= size()

 private:
  std::size_t RunIndexAt(std::size_t at) const;

  std::string text_;
  std::vector<Run> runs_;
};

}  // namespace chat_template::internal
