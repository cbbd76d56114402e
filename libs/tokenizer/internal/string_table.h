#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tokenizer {

// Many short strings one behind another: 8 bytes a string beside its text, where a std::string takes 32.
class StringTable {
 public:
  // The views of operator[] stay valid while no more than this is added.
  void Reserve(std::size_t strings, std::size_t bytes) {
    ends_.reserve(strings);
    text_.reserve(bytes);
  }
  std::string_view Add(std::string_view string) {
    text_.append(string);
    ends_.push_back(text_.size());
    return (*this)[ends_.size() - 1];
  }
  std::size_t size() const { return ends_.size(); }
  std::string_view operator[](std::size_t index) const {
    const std::size_t begin = index == 0 ? 0 : ends_[index - 1];
    return std::string_view(text_).substr(begin, ends_[index] - begin);
  }

 private:
  std::string text_;
  std::vector<std::size_t> ends_;
};

}  // namespace tokenizer
