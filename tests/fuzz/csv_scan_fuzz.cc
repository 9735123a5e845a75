// The scanner that goes by 64 bytes at once against the one that goes byte by byte.
#include <cstring>

#include "formats/byte_masks.h"
#include "formats/csv_scan.h"
#include "input.h"

namespace sluice::fuzz {
namespace {

using formats::RecordIndex;
using formats::ScanResult;

void RequireSame(const ScanResult& fast, const RecordIndex& a, const ScanResult& slow, const RecordIndex& b) {
  Require(fast.consumed == slow.consumed && fast.discarding == slow.discarding, "both scanners come as far");
  Require(a.starts == b.starts && a.ends == b.ends, "both scanners find the same fields");
  Require(a.bad.size() == b.bad.size(), "both scanners refuse as many");
  for (size_t i = 0; i < a.bad.size(); ++i)
    Require(a.bad[i].record == b.bad[i].record && a.bad[i].end == b.bad[i].end && std::strcmp(a.bad[i].rule, b.bad[i].rule) == 0,
            "both scanners refuse the same for the same");
}

int64_t LinesOf(std::string_view text) {
  int64_t lines = 0;
  for (size_t i = 0; i < text.size(); ++i) lines += text[i] == '\n' ? i == 0 || text[i - 1] != '\r' : text[i] == '\r';
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Settings settings(data, size);
  const formats::CsvDialect dialect = DialectOf(settings.Next(kDialects));
  const uint32_t fields = 1 + settings.Next(5);
  const bool final = settings.Next(2) == 0;
  const size_t limits[] = {1 << 20, 40, 100};
  const size_t max = limits[settings.Next(3)];
  const std::string_view text = settings.text();
  std::vector<char> bytes(text.size() + 64, '"');  // what stands beyond the end must not matter
  std::memcpy(bytes.data(), text.data(), text.size());

  RecordIndex fast, slow;
  const ScanResult by_steps = ScanRecords(bytes.data(), text.size(), final, dialect, fields, max, &fast);
  const ScanResult by_bytes = ScanRecordsSlowly(bytes.data(), text.size(), final, dialect, fields, max, &slow);
  RequireSame(by_steps, fast, by_bytes, slow);
  Require(by_steps.consumed <= text.size(), "no more is consumed than there is");
  Require(!final || by_steps.consumed == text.size() || by_steps.discarding, "at the end nothing is left");
  for (size_t r = 0; r < fast.size(); ++r) {
    size_t begin = fast.starts[r];
    for (uint32_t c = 0; c < fields; ++c) {
      const size_t end = fast.ends[r * fields + c];
      Require(begin <= end + 1, "fields follow each other");
      if (begin < end) Require(end <= text.size(), "fields are within the text");  // those of a bad record are empty, wherever
      if (begin < end) (void)formats::UnquoteField(text.substr(begin, end - begin), dialect);
      begin = end + 1;
    }
  }
  Require(formats::CountLineEnds(bytes.data(), text.size()) == LinesOf(text), "lines are counted");
  (void)formats::TakeFrontRecord(bytes.data(), text.size(), final, dialect, max);
  return 0;
}

}  // namespace sluice::fuzz
