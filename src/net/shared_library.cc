#include "net/shared_library.h"

#include <fmt/format.h>

namespace sluice::net {
namespace {

// Parquet's library exports an OpenSSL of its own, of another version: ours must find its own symbols first. The sanitizers refuse the
// flag; nothing that they run links Parquet.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kOwnSymbolsFirst = 0;
#else
constexpr int kOwnSymbolsFirst = RTLD_DEEPBIND;
#endif

}  // namespace

Result<SharedLibrary> SharedLibrary::Open(const std::string& file_name) {
  void* handle = ::dlopen(file_name.c_str(), RTLD_NOW | RTLD_LOCAL | kOwnSymbolsFirst);
  if (handle != nullptr) return SharedLibrary(handle);
  const char* why = ::dlerror();
  return Fail(NotFoundError("missing-library", fmt::format("{} cannot be loaded: {}", file_name, why != nullptr ? why : "unknown reason"))
                  .Hint("reinstall Sluice: its prefix holds lib; or install libcurl 4 with OpenSSL 3"));
}

}  // namespace sluice::net
