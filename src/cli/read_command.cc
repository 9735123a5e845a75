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
#include "core/one_line.h"
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
    auto look = sources::LookAtFile(PathOf(context_, args_.in), options);
    if (!look) return Fail(WithOptions(std::move(look).error()));
    Describe(*look);
    contract_ = sources::TypesOf(look->profile, args_.in.accept);
    contract_.on_missing_column = contract::OnMissingColumn::kNull;
    Status read = Read(*look);
    SLUICE_TRY(const bool there, out_.Flush(true));
    if (!read && !there) return Fail(std::move(read).error());
    Told();
    if (!read) return Fail(std::move(read).error());
    return refused_ > 0 ? kRefused : kDone;
  }

 private:
  // The file, or the members of an archive one after another, all as the same columns.
  Status Read(const sources::FileLook& look) {
    SLUICE_TRY(const auto extra, LateColumns(look));
    for (const sources::InputFile& file : look.files) {
      formats::ReadRequest request = RequestOf(look, file);
      request.extra = extra;
      SLUICE_TRY(const auto opened, ingest::OpenFile(look.format, request, file.csv));
      shown_ = ShownFile(args_.in, file);
      if (!json() && &file == &look.files.front()) out_.text += CsvHeader(request.schema());
      SLUICE_TRY(const bool more, Print(*opened.reader));
      if (!more) break;
    }
    return Ok();
  }

  // Fields that come later than the sample.
  Result<std::vector<contract::Field>> LateColumns(const sources::FileLook& look) const {
    std::vector<contract::Field> extra;
    if (look.profile.whole || args_.limit > 0) return extra;
    for (const sources::InputFile& file : look.files) {
      formats::ReadRequest request = RequestOf(look, file);
      request.extra = extra;
      SLUICE_TRY(const auto fields, formats::NewColumns(look.format, request, file.csv));
      extra.insert(extra.end(), fields.begin(), fields.end());
    }
    return extra;
  }

  formats::ReadRequest RequestOf(const sources::FileLook& look, const sources::InputFile& file) const {
    formats::ReadRequest request{&look.source->store(), file.object.key, file.compression, &contract_, {}};
    request.encoding = file.encoding;
    request.member = file.member;
    request.options = look.options;
    return request;
  }

  void Describe(const sources::FileLook& look) {
    const std::string format(formats::TraitsOf(look.format).name);
    for (const sources::InputFile& file : look.files) {
      for (const std::string& doubt : file.doubts) context_.io.err << "guessed: " << doubt << "\n";
      if (!context_.globals.quiet) context_.io.err << ShownFile(args_.in, file) << ": " << Join(DescribeFile(format, file), ", ") << "\n";
    }
    if (!look.odd_members.empty()) context_.io.err << OddMembersText(look.odd_members, format) << "\n";
    for (const sources::ColumnProfile& column : look.profile.columns) {
      if (!column.inferred.unsure) continue;
      context_.io.err << fmt::format("{}: {}: {}\n", args_.in.accept ? "guessed" : "left a text", column.field, column.inferred.doubt);
    }
  }

  void Told() const {
    if (context_.globals.quiet && refused_ == 0) return;
    context_.io.err << Counted(printed_, "record");
    if (refused_ > 0) context_.io.err << ", " << FormatCount(refused_) << " more that cannot be read";
    context_.io.err << "\n";
  }

  // False: as PrintBatch has it.
  Result<bool> Print(formats::RecordReader& reader) {
    for (;;) {
      SLUICE_TRY(const auto block, reader.Next());
      if (block == nullptr) return true;
      SLUICE_TRY(const formats::DecodedBatch batch, block->Decode());
      SLUICE_TRY(const bool more, PrintBatch(batch));
      if (!more) return false;
    }
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
    const std::string at = place.line > 0 ? fmt::format("{}:{}", shown_, place.line) : fmt::format("{} row {}", shown_, place.row);
    const std::string value = OnOneLine(violation.value);
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
  std::string shown_;  // the file or member that is read
  int64_t printed_ = 0, refused_ = 0;
};

}  // namespace

int ReadFile(Context& context, const ReadArgs& args) {
  std::signal(SIGPIPE, SIG_IGN);  // `| head` is no accident
  const auto result = FileReader(context, args).Run();
  return result ? *result : Report(context, result.error());
}

}  // namespace sluice::cli
