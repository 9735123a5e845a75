#include "ingest/open_reader.h"

#include "formats/ndjson.h"
#include "formats/parquet.h"
#include "ingest/quarantine.h"
#include "tables/generated.h"

namespace sluice::ingest {

using sources::FileFormat;

Result<std::vector<contract::Field>> NewColumns(FileFormat format, const formats::ReadRequest& request,
                                                const formats::CsvDialect& dialect) {
  switch (format) {
    case FileFormat::kCsv:
      return formats::NewCsvColumns(request, dialect);
    case FileFormat::kNdjson:
      return formats::NewNdjsonColumns(request);
    case FileFormat::kParquet:
      return formats::NewParquetColumns(request);
  }
  return Fail(BugError("unknown file format"));
}

Result<OpenedFile> OpenFile(FileFormat format, const formats::ReadRequest& request, const formats::CsvDialect& dialect) {
  OpenedFile opened;
  std::vector<std::string> header;
  switch (format) {
    case FileFormat::kCsv: {
      SLUICE_TRY(opened.reader, formats::OpenCsv(request, dialect));
      if (!dialect.header) break;
      SLUICE_TRY(header, formats::ReadCsvHeader(request, dialect));
      break;
    }
    case FileFormat::kNdjson: {
      SLUICE_TRY(opened.reader, formats::OpenNdjson(request));
      break;
    }
    case FileFormat::kParquet: {
      SLUICE_TRY(opened.reader, formats::OpenParquet(request));
      break;
    }
  }
  opened.record_format = RecordFormat(format, dialect, header);
  return opened;
}

Result<std::vector<contract::Field>> ExtraColumns(const IngestRequest& request, const contract::Contract& contract,
                                                  store::ObjectStore& input, int64_t max_record_bytes) {
  std::vector<contract::Field> extra;
  if (contract.on_new_column != contract::OnNewColumn::kEvolve) return extra;
  formats::ReadRequest read{&input, "", formats::Compression::kNone, &contract, {}};
  read.max_record_bytes = max_record_bytes;
  if (const delta::Snapshot* bronze = request.kept_bronze(); bronze != nullptr) {
    for (const contract::Field& field : bronze->schema.fields) {
      if (tables::IsGenerated(field) || contract::IsMetadataColumn(field.name) || read.schema().Find(field.name) != nullptr) continue;
      read.extra.push_back({field.name, field.type, true, {}});
    }
  }
  for (const InputFile& file : request.files) {
    read.key = file.object.key;
    read.compression = file.compression;
    read.encoding = file.encoding;
    SLUICE_TRY(auto fields, NewColumns(request.source->read.format, read, file.csv));
    read.extra.insert(read.extra.end(), std::make_move_iterator(fields.begin()), std::make_move_iterator(fields.end()));
  }
  return read.extra;
}

}  // namespace sluice::ingest
