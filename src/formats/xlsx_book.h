#pragma once
// The parts of a workbook that say what its sheet's cells mean.
#include <memory>
#include <string>
#include <vector>

#include "formats/reader.h"
#include "formats/xlsx_cells.h"
#include "formats/zip_archive.h"

namespace sluice::formats {

// The texts that cells share, in one piece of memory.
class SharedTexts {
 public:
  void Append(std::string_view text) { bytes_ += text; }
  void EndText() { ends_.push_back(bytes_.size()); }
  size_t size() const { return ends_.size(); }
  size_t bytes() const { return bytes_.size() + ends_.size() * sizeof(size_t); }
  std::string_view operator[](size_t i) const {
    const size_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(bytes_).substr(begin, ends_[i] - begin);
  }

 private:
  std::string bytes_;
  std::vector<size_t> ends_;
};

struct Workbook {
  store::ObjectMeta object;  // that all its parts are read from
  std::string sheet;         // its name
  ArchiveMember sheet_part;
  std::vector<NumberStyle> styles;  // by a cell's s
  SharedTexts texts;
  bool since_1904 = false;
};

// The workbook's parts for the sheet that the request names, or its only one. Errors as of OpenXlsx.
Result<std::shared_ptr<const Workbook>> OpenWorkbook(const ReadRequest& request);

// A part's XML, parsed to its end.
class XmlListener;
Status ParsePart(store::ObjectStore& store, const store::ObjectMeta& object, const ArchiveMember& part, XmlListener& listener);

}  // namespace sluice::formats
