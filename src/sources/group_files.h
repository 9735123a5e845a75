#pragma once
// Which files of a folder are deliveries of the same thing? Told by their names. Pure.
#include <functional>
#include <string>
#include <vector>

#include "sources/source.h"

namespace sluice::sources {

struct FileGroup {
  std::string name;  // "orders", of orders/2024-01-01.csv or orders_2024-01-01.csv.gz
  std::string glob;  // matches exactly its files and later ones: "orders_[0-9]*.csv"
  FileFormat format = FileFormat::kCsv;
  std::vector<std::string> keys;  // as listed
};

struct Grouping {
  std::vector<FileGroup> groups;  // by name; names are all different
  std::vector<Skipped> skipped;   // files of no format that can be read, hidden or unfinished ones
};

// Names agree when they differ only in numbers, dates and the compression's ending.
// `inside` gives the path of a member of an archive ("" = none), for those whose own names do not say what is in them.
Grouping GroupFiles(const std::vector<std::string>& keys, const std::function<std::string(const std::string& key)>& inside = {});

}  // namespace sluice::sources
