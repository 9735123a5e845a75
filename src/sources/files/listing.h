#pragma once
// Which files of a listing does a batch take? Pure, but for the hashes that it asks for.
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sources/source.h"

namespace sluice::sources {

// The part of a glob before its first wildcard, up to the last '/': what a store can be asked for.
std::string GlobPrefix(std::string_view glob);

// Why a file that matches the glob is none to ingest ("" = it is one): hidden (a dotfile or below a dot-folder) or unfinished
// (.tmp, .part, .partial, .crdownload, .download, .filepart, .swp, ~ at its end, _temporary).
std::string WhyLeftOut(std::string_view key);

// The key of the done marker of the file `key`: beside it; {name} is its name, {stem} its name without the last ending.
std::string MarkerOf(std::string_view marker, std::string_view key);

// The hash of what the object holds now (formats/content_hash.h).
using HashOf = std::function<Result<std::string>(const store::ObjectMeta&)>;

// Compares a listing with what was ingested. `listed` is sorted by key; keys that do not match read.files are dropped. Files of
// the result have only `object` set. A file is hashed only where contents of its very size were ingested before and read's policies ask
// for it. `again`: what is in the ledger is taken as all else; it then only says what is no new marker. Errors: "changed-file" names every
// one; those of `hash_of`.
Result<Offer> Select(const std::vector<store::ObjectMeta>& listed, const Read& read, const Ledger& ingested, Instant now,
                     const HashOf& hash_of, bool again = false);

}  // namespace sluice::sources
