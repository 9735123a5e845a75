#include "ingest/open_reader.h"

#include "formats/format.h"
#include "ingest/quarantine.h"
#include "tables/generated.h"

namespace sluice::ingest {

using sources::FileFormat;

Result<OpenedFile> OpenFile(FileFormat format, const formats::ReadRequest& request, const formats::CsvDialect& dialect) {
  OpenedFile opened;
  std::vector<std::string> header;
  SLUICE_TRY(opened.reader, formats::OpenRecords(format, request, dialect));
  if (format == FileFormat::kCsv && dialect.header) {
    SLUICE_TRY(header, formats::ReadCsvHeader(request, dialect));
  }
  opened.record_format = RecordFormat(format, request.options, dialect, header);
  return opened;
}

Result<std::vector<contract::Field>> ExtraColumns(const IngestRequest& request, const contract::Contract& contract,
                                                  store::ObjectStore& input, int64_t max_record_bytes, const std::string& scratch_dir) {
  std::vector<contract::Field> extra;
  if (contract.on_new_column != contract::OnNewColumn::kEvolve) return extra;
  formats::ReadRequest read{&input, "", formats::Compression::kNone, &contract, {}};
  read.max_record_bytes = max_record_bytes;
  read.options = request.source->read.options;
  read.scratch_dir = scratch_dir;
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
    read.member = file.member;
    SLUICE_TRY(auto fields, formats::NewColumns(request.source->read.format, read, file.csv));
    read.extra.insert(read.extra.end(), std::make_move_iterator(fields.begin()), std::make_move_iterator(fields.end()));
  }
  return read.extra;
}

}  // namespace sluice::ingest
