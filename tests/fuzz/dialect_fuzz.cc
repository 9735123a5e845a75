// Detection of dialects: an answer or an error for any bytes, the same twice, and the same behind a byte order mark.
#include "input.h"
#include "sources/files/dialect.h"
#include "sources/files/split.h"

namespace sluice::fuzz {
namespace {

using sources::DialectRequest;

std::string Answer(const DialectRequest& request) {
  const auto dialect = sources::DetectDialect(request);
  if (!dialect) return dialect.error().code + dialect.error().message;
  const auto records = sources::SplitSample(request.sample, request.whole, *dialect, 100);
  std::string other(request.sample);
  if (!other.empty()) other[other.size() / 3] = 'x';
  if (sources::SameHead(*dialect, request.sample, other)) {
    const auto others = sources::SplitSample(other, request.whole, *dialect, 1);
    Require(records.empty() == others.empty() && (records.empty() || records[0].fields == others[0].fields), "a like head has like names");
  }
  return std::to_string(dialect->delimiter) + " " + std::to_string(dialect->quote) + " " + std::to_string(dialect->escape) + " " +
         std::to_string(static_cast<int>(dialect->header)) + " " + std::to_string(dialect->skip);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Settings settings(data, size);
  DialectRequest request;
  request.file = "f";
  request.whole = settings.Next(2) == 0;
  if (settings.Next(2) == 1) request.expected_names = {"id", "amount", "day"};
  const unsigned pins = settings.Next(4);
  if (pins == 1) request.pins.delimiter = ";";
  if (pins == 2) request.pins.header = false;
  if (pins == 3) request.pins.quote = "", request.pins.skip = 1;
  const std::string text(settings.text());
  request.sample = text;
  (void)sources::DetectEncoding({request.sample, request.whole, "", "f", nullptr});
  const std::string answer = Answer(request);
  const bool has_mark = sources::WithoutBom(text).size() != text.size();
  const std::string marked = "\xef\xbb\xbf" + text;
  request.sample = marked;
  if (!has_mark) Require(Answer(request) == answer, "a byte order mark makes no difference", answer);
  return 0;
}

}  // namespace sluice::fuzz
