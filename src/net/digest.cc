#include "net/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "net/shared_library.h"

namespace sluice::net {
namespace {

struct Crypto {
  decltype(::SHA256)* sha256 = nullptr;
  decltype(::HMAC)* hmac = nullptr;
  decltype(::EVP_sha256)* evp_sha256 = nullptr;
};

Result<Crypto> LoadCrypto() {
  SLUICE_TRY(const SharedLibrary library, SharedLibrary::Open("libcrypto.so.3"));
  Crypto crypto;
  crypto.sha256 = library.Find<decltype(::SHA256)>("SHA256");
  crypto.hmac = library.Find<decltype(::HMAC)>("HMAC");
  crypto.evp_sha256 = library.Find<decltype(::EVP_sha256)>("EVP_sha256");
  if (crypto.sha256 == nullptr || crypto.hmac == nullptr || crypto.evp_sha256 == nullptr)
    return Fail(NotFoundError("missing-library", "libcrypto.so.3 lacks SHA-256").Hint("install OpenSSL 3"));
  return crypto;
}

const Result<Crypto>& LoadedCrypto() {
  static const Result<Crypto> crypto = LoadCrypto();
  return crypto;
}

const unsigned char* Bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

}  // namespace

Result<std::string> Sha256(std::string_view bytes) {
  SLUICE_TRY(const Crypto crypto, LoadedCrypto());
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  crypto.sha256(Bytes(bytes), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

Result<std::string> HmacSha256(std::string_view key, std::string_view bytes) {
  SLUICE_TRY(const Crypto crypto, LoadedCrypto());
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  unsigned int size = SHA256_DIGEST_LENGTH;
  if (crypto.hmac(crypto.evp_sha256(), key.data(), static_cast<int>(key.size()), Bytes(bytes), bytes.size(),
                  reinterpret_cast<unsigned char*>(digest.data()), &size) == nullptr)
    return Fail(BugError("OpenSSL refused to make an HMAC"));
  return digest;
}

std::string HexOf(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::string Base64Of(std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t have = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) group = group << 8 | (k < have ? static_cast<unsigned char>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) out += k <= have ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

}  // namespace sluice::net
