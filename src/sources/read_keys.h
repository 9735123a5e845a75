#pragma once
// Which keys of `read` are of which formats: for a project's sources and for the options of one file on the command line.
#include <optional>
#include <string>
#include <string_view>

#include "core/error.h"
#include "sources/read.h"

namespace sluice::sources {

// Error kUser "key-of-another-format" without a place, where files of `format` have no such key; nullopt: they have, or all formats do.
std::optional<Error> KeyOfAnotherFormat(std::string_view key, FileFormat format);

// A character as `read` spells it: `tab` and "\\t" are a tab.
std::string CharacterText(std::string_view spelt);

// What values of the keys cannot stand together, each as kUser "conflicting-keys" without a place, and the key that is to blame.
struct WrongKey {
  std::string_view key;
  Error error;
};
std::optional<WrongKey> KeysThatExcludeEachOther(const Read& read);

}  // namespace sluice::sources
