#pragma once
// What an object's bytes are, in few: so that the same contents are known again under another time or name.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"
#include "store/object_store.h"

namespace sluice::formats {

// XXH3 of 128 bits: as fast as memory gives bytes. Good against chance, not against somebody who makes equal hashes on purpose.
class ContentHash {
 public:
  ContentHash();
  ~ContentHash();
  void Add(std::string_view bytes);
  std::string Text() const;  // "xxh3:" and 32 hexadecimal digits

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Of a whole object, as it is stored. Errors: those of the store, "file-changed-while-read".
Result<std::string> HashObject(store::ObjectStore& store, const std::string& key);

}  // namespace sluice::formats
