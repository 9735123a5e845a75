#pragma once
// Libraries that are loaded when they are first needed: most commands never speak to a network and should not pay for it at start-up.
#include <dlfcn.h>

#include <string>

#include "core/result.h"

namespace sluice::net {

class SharedLibrary {
 public:
  // Stays loaded for the life of the process. Error "missing-library".
  static Result<SharedLibrary> Open(const std::string& file_name);

  // Function may be variadic; nullptr if the library lacks it.
  template <typename Function>
  Function* Find(const char* name) const {
    return reinterpret_cast<Function*>(::dlsym(handle_, name));
  }

 private:
  explicit SharedLibrary(void* handle) : handle_(handle) {}
  void* handle_;
};

}  // namespace sluice::net
