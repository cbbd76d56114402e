#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "libs/base/str_cat.h"
#include "libs/channel/codec.h"

namespace channel {
namespace {

// RFC 4231, test case 2: an independent value for key "Jefe".
constexpr char kBody[] = "what do ya want for nothing?";
constexpr char kSignature[] = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

std::vector<crypto::Secret> Secrets(std::initializer_list<std::string> values) {
  std::vector<crypto::Secret> secrets;
  for (const std::string& value : values) secrets.emplace_back(value);
  return secrets;
}

TEST(SignatureTest, AgreesWithRfc4231) {
  EXPECT_EQ(SignatureFor(kBody, crypto::Secret("Jefe")), kSignature);
  EXPECT_TRUE(SignatureMatches(kSignature, kBody, Secrets({"Jefe"})));
}

TEST(SignatureTest, EitherSecretOfARotationIsGood) {
  EXPECT_TRUE(SignatureMatches(kSignature, kBody, Secrets({"new secret", "Jefe"})));
  EXPECT_TRUE(SignatureMatches(kSignature, kBody, Secrets({"Jefe", "old secret"})));
  EXPECT_FALSE(SignatureMatches(kSignature, kBody, Secrets({"new secret", "old secret"})));
}

TEST(SignatureTest, NoSecretAcceptsNobody) {
  EXPECT_FALSE(SignatureMatches(kSignature, kBody, {}));
  EXPECT_FALSE(SignatureMatches(SignatureFor(kBody, crypto::Secret("")), kBody, Secrets({""})));
}

TEST(SignatureTest, HeaderMustHaveExactlyTheDocumentedForm) {
  const std::string good = kSignature;
  const auto refused = [](std::string_view header) { return !SignatureMatches(header, kBody, Secrets({"Jefe"})); };
  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused(good.substr(7)));
  EXPECT_TRUE(refused(good + " "));
  EXPECT_TRUE(refused(base::StrCat(" ", good.substr(0, 70))));
  EXPECT_TRUE(refused(good.substr(0, 70)));
  EXPECT_TRUE(refused(base::StrCat("SHA256=", good.substr(7))));
  EXPECT_TRUE(refused(base::StrCat("sha1=", good.substr(7))));
  std::string upper = good;
  for (char& c : upper) c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
  EXPECT_TRUE(refused(upper));
}

// Goal: no single bit of body or header may change unnoticed.
TEST(SignatureTest, EveryBitCounts) {
  const std::vector<crypto::Secret> secrets = Secrets({"Jefe"});
  for (std::size_t bit = 0; bit < (sizeof(kBody) - 1) * 8; ++bit) {
    std::string body = kBody;
    body[bit / 8] = static_cast<char>(body[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(SignatureMatches(kSignature, body, secrets)) << "bit " << bit;
  }
  for (std::size_t bit = 0; bit < (sizeof(kSignature) - 1) * 8; ++bit) {
    std::string header = kSignature;
    header[bit / 8] = static_cast<char>(header[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(SignatureMatches(header, kBody, secrets)) << "bit " << bit;
  }
}

}  // namespace
}  // namespace channel
