#include "libs/chat_template/internal/marked_text.h"

#include <algorithm>

#include "libs/base/check.h"

namespace chat_template::internal {

std::size_t MarkedText::RunIndexAt(std::size_t at) const {
  const auto run =
      std::upper_bound(runs_.begin(), runs_.end(), at, [](std::size_t value, const Run& r) { return value < r.end; });
  return static_cast<std::size_t>(run - runs_.begin());
}

bool MarkedText::FromUserAt(std::size_t at) const {
  CHECK(at < size());
  return runs_[RunIndexAt(at)].from_user;
}

void MarkedText::Append(std::string_view text, bool from_user) {
  if (text.empty()) return;
  text_.append(text);
  if (!runs_.empty() && runs_.back().from_user == from_user) {
    runs_.back().end = text_.size();
  } else {
    runs_.push_back({.end = text_.size(), .from_user = from_user});
  }
}

void MarkedText::Append(const MarkedText& other, std::size_t begin, std::size_t end) {
  CHECK(begin <= end && end <= other.size());
  std::size_t at = begin;
  for (std::size_t i = begin < end ? other.RunIndexAt(begin) : other.runs_.size(); at < end; ++i) {
    const std::size_t stop = std::min(other.runs_[i].end, end);
    Append(std::string_view(other.text_).substr(at, stop - at), other.runs_[i].from_user);
    at = stop;
  }
}

MarkedText MarkedText::Slice(std::size_t begin, std::size_t end) const {
  MarkedText slice;
  slice.Append(*this, begin, end);
  return slice;
}

}  // namespace chat_template::internal
