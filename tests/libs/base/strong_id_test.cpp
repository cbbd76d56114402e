#include "libs/base/strong_id.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <type_traits>
#include <unordered_set>

#include "absl/container/flat_hash_map.h"

namespace base {
namespace {

using Offset = StrongId<struct OffsetTag, std::int64_t>;
using Term = StrongId<struct TermTag, std::int64_t>;
using Name = StrongId<struct NameTag, std::string>;

// The point of the type: these do not compile.
template <typename A, typename B>
concept Comparable = requires(const A& a, const B& b) {
  a == b;
};
static_assert(Comparable<Offset, Offset> && !Comparable<Offset, Term> && !Comparable<Offset, std::int64_t>);
static_assert(!std::is_convertible_v<std::int64_t, Offset> && !std::is_convertible_v<Offset, std::int64_t>);

TEST(StrongIdTest, ComparesByValue) {
  EXPECT_EQ(Offset(5), Offset(5));
  EXPECT_LT(Offset(5), Offset(6));
  EXPECT_EQ(Offset(), Offset(0));
  EXPECT_EQ(Name("a").value(), "a");
}

TEST(StrongIdTest, IsAKeyOfStandardAndAbseilContainers) {
  const std::unordered_set<Name> names{Name("a"), Name("b"), Name("a")};
  EXPECT_EQ(names.size(), 2u);
  absl::flat_hash_map<Offset, int> map;
  map[Offset(1)] = 10;
  map[Offset(1)] = 20;
  EXPECT_EQ(map.size(), 1u);
  EXPECT_EQ(map.at(Offset(1)), 20);
}

}  // namespace
}  // namespace base
