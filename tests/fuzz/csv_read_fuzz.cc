// The reader of CSV: what it says of a file does not depend on the blocks in which it comes.
#include "input.h"

namespace sluice::fuzz {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Settings settings(data, size);
  const formats::CsvDialect dialect = DialectOf(settings.Next(kDialects));
  const unsigned contract = settings.Next(File::kContracts);
  const int64_t block = 16 + settings.Next(200), limits[] = {1 << 20, 64, 300};
  const int64_t max = limits[settings.Next(3)];
  const File file(settings.text(), contract == 2 ? 3 : contract);
  const std::string whole = Transcript(formats::OpenCsv(file.Request(1 << 20, max), dialect));
  const std::string parts = Transcript(formats::OpenCsv(file.Request(block, max), dialect));
  Require(whole == parts, "blocks make no difference", "\n" + whole + "---\n" + parts);
  (void)formats::NewCsvColumns(file.Request(block, max), dialect);
  return 0;
}

}  // namespace sluice::fuzz
