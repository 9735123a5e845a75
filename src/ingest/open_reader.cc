#include "ingest/open_reader.h"

#include <fmt/format.h>

#include <iterator>

#include "core/text.h"
#include "formats/format.h"
#include "ingest/quarantine.h"
#include "tables/generated.h"

namespace sluice::ingest {

using sources::FileFormat;

Result<OpenedFile> OpenFile(FileFormat format, const formats::ReadRequest& request, const formats::CsvDialect& dialect) {
  OpenedFile opened;
  std::vector<std::string> header;
  if (format == FileFormat::kCsv) {
    SLUICE_TRY(opened.reader, formats::OpenCsv(request, dialect, &header));
  } else {
    SLUICE_TRY(opened.reader, formats::OpenRecords(format, request, dialect));
  }
  opened.record_format = RecordFormat(format, request.options, dialect, header);
  return opened;
}

Status CheckColumns(size_t columns, const Budget& budget, const std::string& what, const Location& where) {
  if (columns <= budget.max_columns()) return Ok();
  return Fail(
      DataError("too-many-columns", fmt::format("{} needs a table of more than {} columns, as many as {} of memory bear", what,
                                                FormatCount(static_cast<int64_t>(budget.max_columns())), FormatBytes(budget.memory_bytes)))
          .At(where)
          .Hint("give --memory more (32 KiB a column and node), or leave columns out: on_new_column: freeze, and the wanted ones in the "
                "contract"));
}

bool ColumnsAreInRecords(FileFormat format) { return format == FileFormat::kNdjson || format == FileFormat::kJson; }

Result<std::vector<contract::Field>> ExtraColumns(const IngestRequest& request, const contract::Contract& contract,
                                                  store::ObjectStore* input, const Budget& budget, bool of_records) {
  std::vector<contract::Field> extra;
  if (contract.on_new_column != contract::OnNewColumn::kEvolve) return extra;
  formats::ReadRequest read{input, "", formats::Compression::kNone, &contract, {}};
  read.max_record_bytes = budget.max_record_bytes();
  read.max_columns = budget.max_columns();
  read.options = request.source->read.options;
  read.scratch_dir = budget.scratch_dir;
  if (const delta::Snapshot* bronze = request.kept_bronze(); bronze != nullptr) {
    for (const contract::Field& field : bronze->schema.fields) {
      if (tables::IsGenerated(field) || contract::IsMetadataColumn(field.name) || read.schema().Find(field.name) != nullptr) continue;
      read.extra.push_back({field.name, field.type, true, {}});
    }
  }
  if (request.rows) {
    SLUICE_TRY(auto fields, request.rows->source->NewColumns(read));
    read.extra.insert(read.extra.end(), std::make_move_iterator(fields.begin()), std::make_move_iterator(fields.end()));
  }
  const bool in_records = ColumnsAreInRecords(request.source->read.format);
  for (const InputFile& file : request.files) {
    if (file.same_header || (in_records && !of_records)) continue;
    read.key = file.object.key;
    read.object = &file.object;
    read.compression = file.compression;
    read.encoding = file.encoding;
    read.member = file.member;
    SLUICE_TRY(auto fields, formats::NewColumns(request.source->read.format, read, file.csv));
    read.extra.insert(read.extra.end(), std::make_move_iterator(fields.begin()), std::make_move_iterator(fields.end()));
    SLUICE_CHECK(CheckColumns(contract.columns.size() + read.extra.size(), budget, input->Uri(file.object.key), contract.where));
  }
  return read.extra;
}

}  // namespace sluice::ingest
