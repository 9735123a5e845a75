#pragma once
// Which files of a listing does a batch take? Pure.
#include <string>
#include <vector>

#include "sources/source.h"

namespace sluice::sources {

// The part of a glob before its first wildcard, up to the last '/': what a store can be asked for.
std::string GlobPrefix(std::string_view glob);

// Why a file that matches the glob is none to ingest ("" = it is one): hidden (a dotfile or below a dot-folder) or unfinished
// (.tmp, .part, .partial, .crdownload, .download, .filepart, .swp, ~ at its end, _temporary).
std::string WhyLeftOut(std::string_view key);

// Compares a listing with what was ingested. `listed` is sorted by key; keys that do not match read.files are dropped. Files of
// the result have only `object` set. Error "changed-file" names every one.
Result<Offer> Select(const std::vector<store::ObjectMeta>& listed, const Read& read, const Ledger& ingested, Instant now);

}  // namespace sluice::sources
