// The reader of NDJSON: the same of a file in blocks of any size, and nothing but values and violations.
#include "formats/ndjson.h"
#include "input.h"

namespace sluice::fuzz {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Settings settings(data, size);
  const unsigned contract = settings.Next(File::kContracts);
  const int64_t block = 1 + settings.Next(200), limits[] = {1 << 20, 64, 300};
  const int64_t max = limits[settings.Next(3)];
  const File file(settings.text(), contract);
  const std::string whole = Transcript(formats::OpenNdjson(file.Request(1 << 20, max)));
  const std::string parts = Transcript(formats::OpenNdjson(file.Request(block, max)));
  Require(whole == parts, "blocks make no difference", "\n" + whole + "---\n" + parts);
  (void)formats::NewNdjsonColumns(file.Request(block, max));
  return 0;
}

}  // namespace sluice::fuzz
