#include "libs/crypto/base64.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <random>
#include <string>

namespace crypto {
namespace {

struct Vector {
  const char* bytes;
  const char* text;
};
// RFC 4648 section 10.
constexpr Vector kVectors[] = {{"", ""},
                               {"f", "Zg=="},
                               {"fo", "Zm8="},
                               {"foo", "Zm9v"},
                               {"foob", "Zm9vYg=="},
                               {"fooba", "Zm9vYmE="},
                               {"foobar", "Zm9vYmFy"}};

TEST(Base64Test, EncodesTheVectorsOfTheRfc) {
  for (const Vector& vector : kVectors) EXPECT_EQ(Base64Encode(vector.bytes), vector.text);
}

TEST(Base64Test, DecodesTheVectorsOfTheRfc) {
  for (const Vector& vector : kVectors) EXPECT_EQ(Base64Decode(vector.text), vector.bytes);
}

TEST(Base64Test, UsesBothSymbolsOfTheStandardAlphabet) {
  const std::string bytes("\xfb\xff\xbf", 3);
  EXPECT_EQ(Base64Encode(bytes), "+/+/");
  EXPECT_EQ(Base64Decode("+/+/"), bytes);
}

TEST(Base64Test, RefusesEveryDeviation) {
  const std::string with_nul("Zm\0v", 4);
  for (const std::string& text :
       {std::string("Z"), std::string("Zg"), std::string("Zg="), std::string("Zg==="), std::string("===="),
        std::string("Z==="), std::string("Zg==Zg=="), std::string("Zm9v\n"), std::string(" Zm9"), std::string("Zm-_"),
        std::string("Z=g="), std::string("Zm9\xff"), with_nul}) {
    EXPECT_EQ(Base64Decode(text), std::nullopt) << text;
  }
}

TEST(Base64Test, RefusesPaddingBitsThatAreNotZero) {
  EXPECT_EQ(Base64Decode("Zh=="), std::nullopt);
  EXPECT_EQ(Base64Decode("Zm9="), std::nullopt);
}

TEST(Base64Test, DecodingInvertsEncodingForRandomBytes) {
  constexpr unsigned kSeed = 4648;
  SCOPED_TRACE(kSeed);
  std::mt19937 rng(kSeed);
  for (std::size_t size = 0; size < 300; ++size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(rng() & 0xff);
    ASSERT_EQ(Base64Decode(Base64Encode(bytes)), bytes);
  }
}

}  // namespace
}  // namespace crypto
