#pragma once
// SHA-256 as signatures and checksums need it, by OpenSSL.
#include <string>
#include <string_view>

#include "core/result.h"

namespace sluice::net {

Result<std::string> Sha256(std::string_view bytes);                            // 32 bytes
Result<std::string> HmacSha256(std::string_view key, std::string_view bytes);  // 32 bytes
std::string HexOf(std::string_view bytes);                                     // lower case
std::string Base64Of(std::string_view bytes);                                  // RFC 4648 section 4

}  // namespace sluice::net
