#include "cli/print_rows.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>

#include "core/counted.h"
#include "core/text.h"

namespace sluice::cli {
namespace {

constexpr int64_t kTableRows = 100;

// JSON knows no NaN and no infinity: they become strings, which say what they were.
std::string StrictJson(const std::string& line) {
  if (line.find("NaN") == std::string::npos && line.find("Infinity") == std::string::npos) return line;
  std::string out;
  bool in_string = false;
  for (size_t i = 0; i < line.size(); ++i) {
    if (in_string && line[i] == '\\') {
      out += line[i++];
    } else if (line[i] == '"') {
      in_string = !in_string;
    } else if (!in_string) {
      const std::string_view rest = std::string_view(line).substr(i);
      const auto words = {std::string_view("NaN"), std::string_view("Infinity"), std::string_view("-Infinity")};
      const auto word = std::find_if(words.begin(), words.end(), [&](std::string_view w) { return rest.starts_with(w); });
      if (word != words.end()) {
        out += fmt::format("\"{}\"", *word);
        i += word->size() - 1;
        continue;
      }
    }
    out += line[i];
  }
  return out;
}

// Streams rows of text columns; `row` gets each.
Status EachRow(arrow::RecordBatchReader& reader, const std::function<void(const std::vector<std::optional<std::string>>&)>& row) {
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    if (const auto status = reader.ReadNext(&batch); !status.ok()) return Fail(engines::ReaderError(status));
    if (!batch) return Ok();
    std::vector<std::optional<std::string>> cells(batch->num_columns());
    for (int64_t r = 0; r < batch->num_rows(); ++r) {
      for (int c = 0; c < batch->num_columns(); ++c) {
        const auto& column = static_cast<const arrow::StringArray&>(*batch->column(c));
        cells[c] = column.IsNull(r) ? std::nullopt : std::optional<std::string>(column.GetString(r));
      }
      row(cells);
    }
  }
}

bool IsNumber(const std::string& duckdb_type) {
  static const std::vector<std::string> kNumbers = {"TINYINT",   "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT",
                                                    "USMALLINT", "UINTEGER", "UBIGINT", "FLOAT",  "DOUBLE"};
  return duckdb_type.starts_with("DECIMAL") || std::find(kNumbers.begin(), kNumbers.end(), duckdb_type) != kNumbers.end();
}

// One SELECT, and where its rows go.
class RowPrinter {
 public:
  RowPrinter(Context& context, engines::Connection& connection, std::string sql, const std::vector<engines::Parameter>& params,
             const RowsOutput& output)
      : context_(context), connection_(connection), sql_(std::move(sql)), params_(params), output_(output) {}

  Error Unwritable(int number) const {
    return UserError("unwritable-file",
                     fmt::format("can't write {}{}", output_.out, number == 0 ? "" : std::string(": ") + std::strerror(number)))
        .Hint("check that its folder is there, and its mode");
  }

  Status Print() {
    if (output_.format == "parquet" || output_.out.empty()) return PrintTo(context_.io.out);
    std::ofstream file(output_.out, std::ios::binary);
    if (!file) return Fail(Unwritable(errno));
    SLUICE_CHECK(PrintTo(file));
    file.close();
    return file ? Ok() : Status(Fail(Unwritable(errno)));
  }

 private:
  Status PrintTo(std::ostream& out) {
    out_ = &out;
    if (output_.limit > 0) sql_ = fmt::format("SELECT * FROM ({}) LIMIT {}", sql_, output_.limit);
    if (output_.format == "parquet") return Parquet();
    if (output_.format == "json") return Json();
    SLUICE_TRY(const auto columns, connection_.Describe(sql_, params_));
    for (const auto& column : columns) {
      header_.push_back(column.name);
      numeric_.push_back(IsNumber(column.duckdb_type));
    }
    SLUICE_TRY(const auto reader, connection_.Query(fmt::format("SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ({})", sql_), params_));
    return output_.format == "csv" ? Csv(*reader) : Table(*reader);
  }

  Status Parquet() {
    const std::string path = QuoteLiteral(output_.out);
    SLUICE_CHECK(connection_.Scalar(fmt::format("COPY ({}) TO {} (FORMAT parquet, COMPRESSION zstd)", sql_, path), params_));
    SLUICE_TRY(const auto rows, connection_.Scalar(fmt::format("SELECT num_rows FROM parquet_file_metadata({})", path)));
    context_.io.err << "wrote " << Counted(std::stoll(rows.value_or("0")), "row") << " to " << output_.out << "\n";
    return Ok();
  }

  Status Json() {
    SLUICE_TRY(const auto reader,
               connection_.Query(fmt::format("SELECT CAST(to_json(q) AS VARCHAR) AS line FROM ({}) AS q", sql_), params_));
    return EachRow(*reader, [&](const auto& cells) { *out_ << StrictJson(cells[0].value_or("null")) << "\n"; });
  }

  Status Csv(arrow::RecordBatchReader& reader) {
    std::ostream& out = *out_;
    for (size_t i = 0; i < header_.size(); ++i) {
      if (i) out << ',';
      out << CsvCell(header_[i]);
    }
    out << '\n';
    return EachRow(reader, [&](const auto& cells) {
      for (size_t i = 0; i < cells.size(); ++i) {
        if (i) out << ',';
        if (cells[i]) out << CsvCell(*cells[i]);
      }
      out << '\n';
    });
  }

  Status Table(arrow::RecordBatchReader& reader) {
    std::vector<std::vector<std::optional<std::string>>> rows;
    int64_t total = 0;
    const int64_t most = output_.limit > 0 ? output_.limit : kTableRows;
    SLUICE_CHECK(EachRow(reader, [&](const auto& cells) {
      if (total++ < most) rows.push_back(cells);
    }));
    *out_ << RenderTable(header_, rows, numeric_);
    if (total > most)
      context_.io.err << fmt::format("{} of {} shown: --limit N, or --format csv for all\n", FormatCount(most), Counted(total, "row"));
    return Ok();
  }

  Context& context_;
  engines::Connection& connection_;
  std::string sql_;
  const std::vector<engines::Parameter>& params_;
  const RowsOutput& output_;
  std::ostream* out_ = nullptr;
  std::vector<std::string> header_;
  std::vector<bool> numeric_;
};

// By the ending of the file's name.
std::string FormatOf(const std::string& file) {
  static constexpr std::pair<const char*, const char*> kEndings[] = {
      {".csv", "csv"}, {".json", "json"}, {".ndjson", "json"}, {".jsonl", "json"}, {".parquet", "parquet"}};
  for (const auto& [ending, format] : kEndings)
    if (ToLower(file).ends_with(ending)) return format;
  return "table";
}

}  // namespace

std::string CsvCell(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos && !text.empty()) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

Result<RowsOutput> RowsOutputOf(const Globals& globals, const std::string& format, const std::string& out, int64_t limit) {
  static const std::vector<std::string> kFormats = {"table", "csv", "json", "parquet"};
  const RowsOutput output{globals.json ? "json" : format.empty() ? FormatOf(out) : format, out, limit};
  if (std::find(kFormats.begin(), kFormats.end(), output.format) == kFormats.end())
    return Fail(UserError("unknown-format", fmt::format("--format {} is not known{}", output.format, DidYouMean(output.format, kFormats)))
                    .Hint("one of table, csv, json, parquet"));
  if (output.format == "parquet" && out.empty())
    return Fail(UserError("needs-out", "--format parquet writes a file").Hint("add --out FILE"));
  return output;
}

Status PrintRows(Context& context, engines::Connection& connection, std::string sql, const std::vector<engines::Parameter>& params,
                 const RowsOutput& output) {
  return RowPrinter(context, connection, std::move(sql), params, output).Print();
}

}  // namespace sluice::cli
