// read: the records of one file, as a source would read them.
#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "cli/command.h"
#include "cli/file_args.h"
#include "cli/print_rows.h"
#include "core/counted.h"
#include "core/text.h"
#include "formats/format.h"
#include "formats/json_row.h"
#include "ingest/open_reader.h"
#include "sources/propose.h"

namespace sluice::cli {
namespace {

constexpr size_t kFlushBytes = 256 << 10;

// stdout, which may be a pipe that nobody reads any more.
class Output {
 public:
  explicit Output(std::ostream& out) : out_(out) {}

  // False once the reader has gone.
  Result<bool> Flush(bool all) {
    if (text.size() < kFlushBytes && !all) return true;
    errno = 0;
    out_ << text << std::flush;
    text.clear();
    if (out_) return true;
    if (errno == EPIPE) return false;
    return Fail(RetryableError("unwritable-file", std::string("can't write to stdout: ") + std::strerror(errno)));
  }
  std::string text;

 private:
  std::ostream& out_;
};

std::string CsvRow(const arrow::RecordBatch& batch, int64_t row) {
  std::string line;
  for (int c = 0; c < batch.num_columns(); ++c) {
    if (c > 0) line += ',';
    const arrow::Array& array = *batch.column(c);
    if (array.IsNull(row)) continue;
    if (array.type_id() == arrow::Type::STRING) {
      line += CsvCell(static_cast<const arrow::StringArray&>(array).GetView(row));
      continue;
    }
    std::string text = formats::JsonOfValue(array, row);
    const bool quoted = text.starts_with('"') && array.type_id() != arrow::Type::BINARY;  // times, which have nothing to escape
    line += CsvCell(quoted ? std::string_view(text).substr(1, text.size() - 2) : std::string_view(text));
  }
  return line + "\n";
}

class FileReader {
 public:
  FileReader(Context& context, const ReadArgs& args) : context_(context), args_(args), out_(context.io.out) {}

  Result<int> Run() {
    SLUICE_TRY(const auto options, OptionsOf(args_.in));
    auto look = sources::LookAtFile(args_.in.file, options);
    if (!look) return Fail(WithOptions(std::move(look).error()));
    Describe(*look);
    contract_ = sources::TypesOf(look->profile);
    formats::ReadRequest request{&look->source->store(), look->input.object.key, look->input.compression, &contract_, {}};
    request.encoding = look->input.encoding;
    request.member = look->input.member;
    request.options = look->options;
    contract_.on_missing_column = contract::OnMissingColumn::kNull;
    if (!look->profile.whole && args_.limit == 0) {  // fields that come later than the sample
      SLUICE_TRY(request.extra, formats::NewColumns(look->format, request, look->input.csv));
    }
    SLUICE_TRY(const auto opened, ingest::OpenFile(look->format, request, look->input.csv));
    if (Status read = Print(*opened.reader, request.schema()); !read) {
      SLUICE_TRY(const bool there, out_.Flush(true));
      if (there) Told();
      return Fail(std::move(read).error());
    }
    Told();
    return refused_ > 0 ? kRefused : kDone;
  }

 private:
  void Describe(const sources::FileLook& look) {
    for (const std::string& doubt : look.input.doubts) context_.io.err << "guessed: " << doubt << "\n";
    if (context_.globals.quiet) return;
    const auto lines = DescribeFile(std::string(formats::TraitsOf(look.format).name), look.input);
    context_.io.err << args_.in.file << ": " << Join(lines, ", ") << "\n";
  }

  void Told() const {
    if (context_.globals.quiet && refused_ == 0) return;
    context_.io.err << Counted(printed_, "record");
    if (refused_ > 0) context_.io.err << ", " << FormatCount(refused_) << " more that cannot be read";
    context_.io.err << "\n";
  }

  Status Print(formats::RecordReader& reader, const contract::Schema& schema) {
    if (!json()) out_.text += CsvHeader(schema);
    for (;;) {
      SLUICE_TRY(const auto block, reader.Next());
      if (block == nullptr) break;
      SLUICE_TRY(const formats::DecodedBatch batch, block->Decode());
      SLUICE_TRY(const bool more, PrintBatch(batch));
      if (!more) return Ok();
    }
    SLUICE_CHECK(out_.Flush(true));
    return Ok();
  }

  // False: enough, or nobody reads on.
  Result<bool> PrintBatch(const formats::DecodedBatch& batch) {
    auto violation = batch.violations.begin();
    for (int64_t row = 0; row < batch.rows->num_rows(); ++row) {
      bool refused = false;
      for (; violation != batch.violations.end() && violation->row == row; ++violation) {
        Refuse(batch, *violation);
        refused = true;
      }
      refused_ += refused;
      if (refused) continue;
      out_.text += json() ? formats::JsonOfRow(*batch.rows, row) + "\n" : CsvRow(*batch.rows, row);
      ++printed_;
      const bool enough = args_.limit > 0 && printed_ >= args_.limit;
      SLUICE_TRY(const bool there, out_.Flush(enough));
      if (enough || !there) return false;
    }
    return true;
  }

  void Refuse(const formats::DecodedBatch& batch, const contract::Violation& violation) {
    const formats::RecordPlace place = batch.place(violation.row);
    const std::string at =
        place.line > 0 ? fmt::format("{}:{}", args_.in.file, place.line) : fmt::format("{} row {}", args_.in.file, place.row);
    std::string value = violation.value;
    for (char& c : value)
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    context_.io.err << fmt::format("{}: {}{}: {}{}\n", at, violation.column.empty() ? "" : violation.column + " ", violation.rule,
                                   violation.message, value.empty() || !IsValidUtf8(value) ? "" : ": " + value);
  }

  bool json() const { return context_.globals.json || args_.format == "json"; }

  static std::string CsvHeader(const contract::Schema& schema) {
    std::string line;
    for (const contract::Field& field : schema.fields) line += (line.empty() ? "" : ",") + CsvCell(field.name);
    return line.empty() ? "" : line + "\n";
  }

  Context& context_;
  const ReadArgs& args_;
  Output out_;
  contract::Contract contract_;
  int64_t printed_ = 0, refused_ = 0;
};

}  // namespace

int ReadFile(Context& context, const ReadArgs& args) {
  std::signal(SIGPIPE, SIG_IGN);  // `| head` is no accident
  const auto result = FileReader(context, args).Run();
  return result ? *result : Report(context, result.error());
}

}  // namespace sluice::cli
