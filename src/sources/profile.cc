#include "sources/profile.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <list>
#include <optional>
#include <utility>

#include "core/text.h"
#include "formats/format.h"
#include "sources/json_profile.h"

namespace sluice::sources {
namespace {

using contract::DataType;
using contract::TypeKind;

constexpr size_t kMaxNestedTexts = 20000;  // JSON objects and arrays kept of one column
constexpr size_t kMaxMisfits = 3;          // shown of each column

// All that is seen of one column.
struct ColumnSeen {
  std::string field;
  TextProfile texts;
  std::vector<std::string> nested;  // JSON objects and arrays
  std::optional<DataType> known;    // by the file's own schema
};

class Profiler {
 public:
  Profiler(store::ObjectStore& store, FileFormat format, const ProfileOptions& options) : store_(store), options_(options) {
    table_.format = format;
  }

  Status Read(const InputFile& file) {
    contract::Contract contract;
    contract.on_new_column = contract::OnNewColumn::kEvolve;  // to be told of all
    formats::ReadRequest request{&store_, file.object.key, file.compression, &contract, {}};
    request.encoding = file.encoding;
    request.member = file.member;
    request.options = options_.format;
    SLUICE_TRY(auto fields, formats::NewColumns(table_.format, request, file.csv));
    contract.on_new_column = contract::OnNewColumn::kFreeze;
    contract.on_missing_column = contract::OnMissingColumn::kNull;
    for (contract::Field& field : fields) {
      contract::ColumnContract column;
      column.name = field.name;
      column.type = DataType::Of(TypeKind::kString);
      contract.columns.push_back(column);
    }
    if (contract.columns.empty()) return Ok();
    SLUICE_TRY(const auto reader, formats::OpenRecords(table_.format, request, file.csv));
    ++table_.files;
    std::vector<ColumnSeen*> columns;
    for (const contract::Field& field : fields) columns.push_back(ColumnOf(field));
    return ReadBlocks(*reader, file.name.empty() ? file.object.key : file.name, columns);
  }

  Result<TableProfile> Finish() {
    for (ColumnSeen& seen : seen_) {
      SLUICE_TRY(ColumnProfile column, FinishColumn(seen));
      table_.columns.push_back(std::move(column));
    }
    return std::move(table_);
  }

 private:
  ColumnSeen* ColumnOf(const contract::Field& field) {
    for (ColumnSeen& seen : seen_)
      if (EqualsIgnoreCase(seen.field, field.name)) return &seen;
    ColumnSeen& seen = seen_.emplace_back();
    seen.field = field.name;
    if (formats::TraitsOf(table_.format).typed) seen.known = field.type;
    for (int64_t i = 0; i < table_.records; ++i) seen.texts.AddNull();  // files before this one lack it
    return &seen;
  }

  Status ReadBlocks(formats::RecordReader& reader, const std::string& file, const std::vector<ColumnSeen*>& columns) {
    int64_t bytes = 0;
    while (true) {
      SLUICE_TRY(const auto block, reader.Next());
      if (block == nullptr) break;
      if (options_.max_bytes_per_file > 0 && bytes >= options_.max_bytes_per_file) {
        table_.whole = false;
        break;
      }
      SLUICE_TRY(const formats::DecodedBatch batch, block->Decode());
      AddBatch(batch, file, columns);
      bytes += BytesOf(*batch.rows);
    }
    return Ok();
  }

  static int64_t BytesOf(const arrow::RecordBatch& rows) {
    int64_t bytes = 0;
    for (const auto& column : rows.columns())
      bytes += static_cast<const arrow::StringArray&>(*column).total_values_length() + column->length();
    return bytes;
  }

  void AddBatch(const formats::DecodedBatch& batch, const std::string& file, const std::vector<ColumnSeen*>& columns) {
    std::vector<bool> refused(static_cast<size_t>(batch.rows->num_rows()), false);
    for (const contract::Violation& v : batch.violations) AddBroken(batch, v, file, &refused);
    table_.records += batch.rows->num_rows();
    for (size_t c = 0; c < columns.size(); ++c) {
      const auto& texts = static_cast<const arrow::StringArray&>(*batch.rows->column(static_cast<int>(c)));
      for (int64_t row = 0; row < texts.length(); ++row) {
        if (refused[static_cast<size_t>(row)]) continue;
        if (texts.IsNull(row))
          columns[c]->texts.AddNull();
        else
          AddText(texts.GetView(row), batch, row, file, columns[c]);
      }
    }
  }

  void AddText(std::string_view text, const formats::DecodedBatch& batch, int64_t row, const std::string& file, ColumnSeen* seen) {
    const bool nested = formats::TraitsOf(table_.format).nested && (text.starts_with('{') || text.starts_with('['));
    if (nested && seen->nested.size() < kMaxNestedTexts) seen->nested.emplace_back(text);
    if (nested) return;
    const auto place = [&]() -> ValuePlace {
      const formats::RecordPlace at = batch.place(row);
      return {file, at.row, at.line};
    };
    seen->texts.Add(text, std::cref(place));
  }

  void AddBroken(const formats::DecodedBatch& batch, const contract::Violation& v, const std::string& file, std::vector<bool>* refused) {
    if ((*refused)[static_cast<size_t>(v.row)]) return;
    (*refused)[static_cast<size_t>(v.row)] = true;
    if (table_.unreadable++ >= static_cast<int64_t>(kMaxMisfits)) return;
    const formats::RecordPlace place = batch.place(v.row);
    table_.misfits.push_back({{file, place.row, place.line}, v.column, v.value, v.message});
  }

  Result<ColumnProfile> FinishColumn(const ColumnSeen& seen) {
    ColumnProfile column;
    column.field = seen.field;
    column.values = seen.texts.values() + static_cast<int64_t>(seen.nested.size());
    column.nulls = seen.texts.nulls();
    column.distinct_count = seen.texts.distinct_count();
    column.distinct = seen.texts.distinct();
    column.pii = PiiOfName(seen.field);
    column.negative = seen.texts.any_negative();
    if (column.pii.empty() && seen.texts.share_of_emails() > 0.8) column.pii = "email";
    if (seen.known) {
      column.inferred.type = *seen.known;
      return column;
    }
    if (!seen.nested.empty()) {
      if (seen.texts.values() > 0) return column;  // objects and scalars: text
      SLUICE_TRY(column.inferred.type, InferJson(seen.nested, options_.infer));
      return column;
    }
    if (column.pii != "phone" && column.pii != "bank" && column.pii != "national_id") column.inferred = seen.texts.Infer(options_.infer);
    std::vector<Misfit> samples;
    column.misfits = seen.texts.CountMisfits(column.inferred, seen.field, &samples);
    table_.misfits.insert(table_.misfits.end(), samples.begin(), samples.end());
    if (column.inferred.type.kind == TypeKind::kString) column.pattern = seen.texts.Pattern(options_.infer.tolerance);
    AddNullWords(seen.texts, &column);
    return column;
  }

  // In a column of text only unmistakable words are NULL: NA may be Namibia, "-" a value.
  static void AddNullWords(const TextProfile& texts, ColumnProfile* column) {
    for (const auto& [word, count] : texts.null_words()) {
      const bool sure = EqualsIgnoreCase(word, "null") || EqualsIgnoreCase(word, "n/a") || word == "\\N" || EqualsIgnoreCase(word, "#n/a");
      if (column->inferred.type.kind != TypeKind::kString || sure) {
        column->null_words.push_back(word);
        continue;
      }
      column->values += count;
      column->nulls -= count;
      if (!column->distinct.empty()) column->distinct[word] += count;
      ++column->distinct_count;
    }
  }

  store::ObjectStore& store_;
  const ProfileOptions& options_;
  TableProfile table_;
  std::list<ColumnSeen> seen_;  // its addresses stay
};

// The first, the last, and others evenly between: newer files often have columns that older ones lack.
std::vector<const InputFile*> Spread(const std::vector<InputFile>& files, int max) {
  std::vector<const InputFile*> some;
  const size_t count = std::min(files.size(), static_cast<size_t>(std::max(max, 1)));
  for (size_t i = 0; i < count; ++i) some.push_back(&files[count == 1 ? 0 : i * (files.size() - 1) / (count - 1)]);
  return some;
}

}  // namespace

Result<TableProfile> ProfileFiles(store::ObjectStore& store, const std::vector<InputFile>& files, FileFormat format,
                                  const ProfileOptions& options) {
  if (files.empty()) return Fail(UserError("no-files", "there is no file to look at"));
  Profiler profiler(store, format, options);
  const auto some = Spread(files, options.max_files);
  for (const InputFile* file : some) SLUICE_CHECK(profiler.Read(*file));
  SLUICE_TRY(TableProfile table, profiler.Finish());
  table.whole = table.whole && some.size() == files.size();
  return table;
}

Result<std::vector<contract::Field>> DetectFields(store::ObjectStore& store, const std::vector<InputFile>& files, FileFormat format,
                                                  const formats::FormatOptions& format_options) {
  ProfileOptions options;
  options.format = format_options;
  options.infer = {false, 0};
  SLUICE_TRY(const TableProfile table, ProfileFiles(store, files, format, options));
  std::vector<contract::Field> fields;
  for (const ColumnProfile& column : table.columns) {
    const bool clock =
        column.inferred.type.kind == TypeKind::kTimestamp && column.inferred.without_zone && !formats::TraitsOf(format).typed;
    fields.push_back({column.field, clock ? DataType::Of(TypeKind::kTimestampNtz) : column.inferred.type, true, {}});
  }
  return fields;
}

std::string PiiOfName(std::string_view name) {
  struct Hint {
    const char *part, *pii;
  };
  static constexpr std::array kHints = {
      Hint{"email", "email"},       Hint{"e_mail", "email"},         Hint{"phone", "phone"},
      Hint{"mobile_n", "phone"},    Hint{"telephone", "phone"},      Hint{"first_name", "name"},
      Hint{"last_name", "name"},    Hint{"full_name", "name"},       Hint{"firstname", "name"},
      Hint{"lastname", "name"},     Hint{"surname", "name"},         Hint{"customer_name", "name"},
      Hint{"contact_name", "name"}, Hint{"street", "address"},       Hint{"postal_addr", "address"},
      Hint{"home_addr", "address"}, Hint{"birth", "birth_date"},     Hint{"ip_addr", "ip"},
      Hint{"ssn", "national_id"},   Hint{"passport", "national_id"}, Hint{"national_id", "national_id"},
      Hint{"iban", "bank"},         Hint{"card_number", "bank"},     Hint{"account_number", "bank"},
  };
  std::string lower = ToLower(name);
  std::replace_if(lower.begin(), lower.end(), [](char c) { return c == ' ' || c == '-' || c == '.'; }, '_');
  if (lower == "address") return "address";
  if (lower == "ip") return "ip";
  for (const Hint& hint : kHints)
    if (lower.find(hint.part) != std::string::npos) return hint.pii;
  return "";
}

}  // namespace sluice::sources
