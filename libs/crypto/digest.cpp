#include "libs/crypto/digest.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <cerrno>
#include <fstream>
#include <memory>
#include <vector>

#include "libs/base/check.h"

namespace crypto {
namespace {

// Algorithms are fetched once: a fetch takes OpenSSL's provider lock, which webhook threads would contend for. They are
// never freed, because other threads may still hash while the process exits. A failed fetch means an OpenSSL without
// SHA-256, in which no service can do its job: that ends the process.
const EVP_MD* Sha256Algorithm() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  CHECK_MSG(algorithm != nullptr, "this OpenSSL has no SHA-256");
  return algorithm;
}

EVP_MAC* HmacAlgorithm() {
  static EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  CHECK_MSG(algorithm != nullptr, "this OpenSSL has no HMAC");
  return algorithm;
}

constexpr std::size_t kFilePieceBytes = 1 << 20;

struct DigestContextFree {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

struct MacContextFree {
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};

const unsigned char* Unsigned(std::string_view bytes) {
  // A null pointer means "no new key" to OpenSSL; an empty key is something else.
  static constexpr unsigned char kEmpty[1] = {0};
  return bytes.empty() ? kEmpty : reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

Sha256Digest Sha256(std::string_view bytes) {
  Sha256Digest digest;
  unsigned int size = 0;
  CHECK(EVP_Digest(Unsigned(bytes), bytes.size(), digest.data(), &size, Sha256Algorithm(), nullptr) == 1);
  CHECK(size == digest.size());
  return digest;
}

absl::StatusOr<Sha256Digest> Sha256File(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return errno == EACCES ? absl::PermissionDeniedError(path + ": not readable")
                           : absl::NotFoundError(path + ": no such file");
  }
  const std::unique_ptr<EVP_MD_CTX, DigestContextFree> context(EVP_MD_CTX_new());
  CHECK(context != nullptr && EVP_DigestInit_ex2(context.get(), Sha256Algorithm(), nullptr) == 1);
  std::vector<char> piece(kFilePieceBytes);
  while (file) {
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    CHECK(EVP_DigestUpdate(context.get(), piece.data(), static_cast<std::size_t>(file.gcount())) == 1);
  }
  if (file.bad()) return absl::InternalError(path + ": reading failed");
  Sha256Digest digest;
  CHECK(EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1);
  return digest;
}

Sha256Digest HmacSha256(std::string_view key, std::string_view bytes) {
  const std::unique_ptr<EVP_MAC_CTX, MacContextFree> context(EVP_MAC_CTX_new(HmacAlgorithm()));
  CHECK_MSG(context != nullptr, "out of memory");
  char hash[] = "SHA256";
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, hash, 0),
                               OSSL_PARAM_construct_end()};
  Sha256Digest digest;
  std::size_t size = 0;
  CHECK(EVP_MAC_init(context.get(), Unsigned(key), key.size(), params) == 1);
  CHECK(EVP_MAC_update(context.get(), Unsigned(bytes), bytes.size()) == 1);
  CHECK(EVP_MAC_final(context.get(), digest.data(), &size, digest.size()) == 1);
  CHECK(size == digest.size());
  return digest;
}

bool ConstantTimeEquals(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(Unsigned(a), Unsigned(b), a.size()) == 0;
}

}  // namespace crypto
