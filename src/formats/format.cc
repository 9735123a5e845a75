#include "formats/format.h"

#include "core/text.h"
#include "formats/avro.h"
#include "formats/bytes.h"
#include "formats/fixed.h"
#include "formats/json.h"
#include "formats/ndjson.h"
#include "formats/orc.h"
#include "formats/parquet.h"
#include "formats/unpacked.h"
#include "formats/xlsx.h"
#include "formats/xml.h"

namespace sluice::formats {
namespace {

using Fields = std::vector<contract::Field>;

Result<std::unique_ptr<RecordReader>> Open(FileFormat format, const ReadRequest& request, const CsvDialect& dialect) {
  switch (format) {
    case FileFormat::kCsv:
      return OpenCsv(request, dialect);
    case FileFormat::kNdjson:
      return OpenNdjson(request);
    case FileFormat::kParquet:
      return OpenParquet(request);
    case FileFormat::kJson:
      return OpenJson(request);
    case FileFormat::kXlsx:
      return OpenXlsx(request);
    case FileFormat::kOrc:
      return OpenOrc(request);
    case FileFormat::kAvro:
      return OpenAvro(request);
    case FileFormat::kFixed:
      return OpenFixed(request);
    case FileFormat::kXml:
      return OpenXml(request);
  }
  return Fail(BugError("unknown file format"));
}

Result<Fields> New(FileFormat format, const ReadRequest& request, const CsvDialect& dialect) {
  switch (format) {
    case FileFormat::kCsv:
      return NewCsvColumns(request, dialect);
    case FileFormat::kNdjson:
      return NewNdjsonColumns(request);
    case FileFormat::kParquet:
      return NewParquetColumns(request);
    case FileFormat::kJson:
      return NewJsonColumns(request);
    case FileFormat::kXlsx:
      return NewXlsxColumns(request);
    case FileFormat::kOrc:
      return NewOrcColumns(request);
    case FileFormat::kAvro:
      return NewAvroColumns(request);
    case FileFormat::kFixed:
      return NewFixedColumns(request);
    case FileFormat::kXml:
      return NewXmlColumns(request);
  }
  return Fail(BugError("unknown file format"));
}

}  // namespace

const std::vector<FormatTraits>& AllFormats() {
  static const std::vector<FormatTraits> formats = {
      {.format = FileFormat::kCsv, .name = "csv", .endings = {".csv", ".tsv", ".psv", ".txt"}},
      {.format = FileFormat::kNdjson, .name = "ndjson", .endings = {".ndjson", ".jsonl"}, .nested = true},
      {.format = FileFormat::kParquet,
       .name = "parquet",
       .endings = {".parquet"},
       .typed = true,
       .text = false,
       .anywhere = true,
       .packs_itself = true},
      {.format = FileFormat::kJson, .name = "json", .endings = {".json"}, .nested = true},
      {.format = FileFormat::kXlsx, .name = "xlsx", .endings = {".xlsx"}, .text = false, .anywhere = true, .packs_itself = true},
      {.format = FileFormat::kOrc,
       .name = "orc",
       .endings = {".orc"},
       .typed = true,
       .text = false,
       .anywhere = true,
       .packs_itself = true},
      {.format = FileFormat::kAvro, .name = "avro", .endings = {".avro"}, .typed = true, .text = false},
      {.format = FileFormat::kFixed, .name = "fixed"},
      {.format = FileFormat::kXml, .name = "xml", .endings = {".xml"}, .nested = true, .text = false},
  };
  return formats;
}

const FormatTraits& TraitsOf(FileFormat format) { return AllFormats()[static_cast<size_t>(format)]; }

const FormatTraits* FormatNamed(std::string_view name) {
  const auto& all = AllFormats();
  const auto found = std::find_if(all.begin(), all.end(), [&](const FormatTraits& traits) { return traits.name == name; });
  return found == all.end() ? nullptr : &*found;
}

const FormatTraits* FormatOfPath(std::string_view path) {
  path.remove_suffix(CompressionOfEnding(path).second);
  const std::string name = ToLower(path);
  for (const FormatTraits& traits : AllFormats())
    for (const std::string_view ending : traits.endings)
      if (name.ends_with(ending)) return &traits;
  return nullptr;
}

Result<std::unique_ptr<RecordReader>> OpenRecords(FileFormat format, const ReadRequest& request, const CsvDialect& dialect) {
  if (!TraitsOf(format).anywhere || !request.member) return Open(format, request, dialect);
  SLUICE_TRY(auto unpacked, Unpack(request));
  SLUICE_TRY(auto reader, Open(format, unpacked->request(), dialect));
  return KeepUnpacked(std::move(unpacked), std::move(reader));
}

Result<std::vector<contract::Field>> NewColumns(FileFormat format, const ReadRequest& request, const CsvDialect& dialect) {
  if (!TraitsOf(format).anywhere || !request.member) return New(format, request, dialect);
  SLUICE_TRY(const auto unpacked, Unpack(request));
  return New(format, unpacked->request(), dialect);
}

}  // namespace sluice::formats
