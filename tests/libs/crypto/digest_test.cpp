#include "libs/crypto/digest.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "libs/base/hex.h"

namespace crypto {
namespace {

std::string Sha256Hex(std::string_view bytes) { return base::ToHex(AsBytes(Sha256(bytes))); }
std::string HmacHex(std::string_view key, std::string_view bytes) {
  return base::ToHex(AsBytes(HmacSha256(key, bytes)));
}

// FIPS 180-4 examples (NIST CSRC "SHA256.pdf") and the empty message of the SHA-2 validation suite.
TEST(Sha256Test, EqualsTheVectorsOfFips180) {
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(Sha256Hex(std::string(1'000'000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// RFC 4231 section 4, test cases 1 to 7 (5 is truncated to 128 bits there).
TEST(HmacSha256Test, EqualsTheVectorsOfRfc4231) {
  EXPECT_EQ(HmacHex(std::string(20, '\x0b'), "Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(HmacHex("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(HmacHex(std::string(20, '\xaa'), std::string(50, '\xdd')),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  std::string counting;
  for (char byte = 1; byte <= 25; ++byte) counting.push_back(byte);
  EXPECT_EQ(HmacHex(counting, std::string(50, '\xcd')),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
  EXPECT_EQ(HmacHex(std::string(20, '\x0c'), "Test With Truncation").substr(0, 32), "a3b6167473100ee06e0c796c2955552b");
  EXPECT_EQ(HmacHex(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(HmacHex(std::string(131, '\xaa'),
                    "This is a test using a larger than block-size key and a larger than block-size data. The key "
                    "needs to be hashed before being used by the HMAC algorithm."),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

// The value is HMAC's definition by hand: SHA-256(opad || SHA-256(ipad || "")).
TEST(HmacSha256Test, TakesAnEmptyKeyAndEmptyBytes) {
  const std::string inner(AsBytes(Sha256(std::string(64, '\x36'))));
  const std::string expected(AsBytes(Sha256(std::string(64, '\x5c') + inner)));
  EXPECT_EQ(AsBytes(HmacSha256("", "")), expected);
  EXPECT_EQ(AsBytes(HmacSha256(std::string_view(), std::string_view())), expected);
}

TEST(HmacSha256Test, IsSafeFromManyThreads) {
  std::vector<std::thread> threads;
  std::vector<std::string> digests(8);
  for (std::size_t i = 0; i < digests.size(); ++i) {
    threads.emplace_back([&digests, i] {
      for (int round = 0; round < 500; ++round) digests[i] = HmacHex("Jefe", "what do ya want for nothing?");
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& digest : digests) {
    EXPECT_EQ(digest, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  }
}

TEST(ConstantTimeEqualsTest, ComparesBytesAndSizes) {
  EXPECT_TRUE(ConstantTimeEquals("", ""));
  EXPECT_TRUE(ConstantTimeEquals(std::string("a\0b", 3), std::string("a\0b", 3)));
  EXPECT_FALSE(ConstantTimeEquals(std::string("a\0b", 3), std::string("a\0c", 3)));
  EXPECT_FALSE(ConstantTimeEquals("abc", "abcd"));
  EXPECT_FALSE(ConstantTimeEquals("abc", ""));
}

TEST(ConstantTimeEqualsTest, SeesEverySingleBitFlip) {
  const std::string digest(AsBytes(Sha256("abc")));
  for (std::size_t bit = 0; bit < digest.size() * 8; ++bit) {
    std::string flipped = digest;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(ConstantTimeEquals(digest, flipped)) << "bit " << bit;
  }
}

TEST(Sha256FileTest, EqualsTheDigestOfTheBytesAndNamesAMissingFile) {
  const std::string path = testing::TempDir() + "/sha256_file_test";
  const std::string bytes(3'000'000, 'x');  // more than one piece
  std::ofstream(path, std::ios::binary) << bytes;
  const absl::StatusOr<Sha256Digest> digest = Sha256File(path);
  std::remove(path.c_str());
  ASSERT_TRUE(digest.ok()) << digest.status();
  EXPECT_EQ(*digest, Sha256(bytes));
  EXPECT_TRUE(absl::IsNotFound(Sha256File(path).status()));
}

}  // namespace
}  // namespace crypto
