#include "project/keys_common.h"

namespace sluice::project {

using config::Boolean;
using config::Enum;
using config::Integer;
using config::ListOf;
using config::Literal;
using config::MapOf;
using config::Object;
using sources::FileOrder;
using sources::OnChangedFile;
using sources::OnKnownContents;

namespace {

// A header, none, or so many rows of one.
config::Type<int64_t> HeaderType() {
  const auto flag = config::Mapped<int64_t, bool>(Boolean(), [](bool header) { return header ? 1 : 0; });
  const auto rows = Integer(1, 20);
  return {config::EitherShape(flag.shape, rows.shape), [flag, rows](const config::Node& node, config::Reader& reader, int64_t* out) {
            const bool number = !node.text.empty() && node.text.find_first_not_of("0123456789") == std::string::npos;
            return number ? rows.read(node, reader, out) : flag.read(node, reader, out);
          }};
}

config::Type<ReadSpec> ReadType() {
  using R = ReadSpec;
  const auto character = [] { return config::PlacedTextOf("character", "\";\""); };
  return Object<R>("read", "Reading files",
                   "Which files, and how they are written; or which table of a database. What is not said about a CSV file is detected, "
                   "shown by `plan`, and refused "
                   "where it is unsure. Or which table of another owner, with `load: external`.")
      .Optional("files", &R::files, config::PlacedTextOf("glob", "\"orders/*.csv\""), "",
                "Files below the connection's path: `*`, `?`, `[a-z]`, `{a,b}`, and `**` across folders.")
      .Optional(
          "table", &R::table, config::PlacedTextOf("folder", "\"sales/orders\""), "",
          "Of a database: the table, `public.users`. With `load: external`, instead of `files`: the folder of a Delta table or of Parquet "
          "files, below the connection's path; `.` is that path itself.")
      .Optional("query", &R::query, config::PlacedTextOf("SQL", "select id, name from users where active"), "",
                "Of a database, instead of `table`: a query in its own SQL.")
      .Optional(
          "command", &R::command, SomeNames("text"), "",
          "Without a `connection`: a program and its arguments, run in the project's folder. What it prints, NDJSON or Arrow IPC, is read.")
      .Optional("request", &R::request, RequestType(), "", "Of an HTTP API: what is asked for.")
      .Optional("for_each", &R::for_each, RequestType(), "",
                "Of an HTTP API: another request, for each of whose records `request` is sent, with its fields as `{parent.FIELD}`.")
      .Optional("windows", &R::windows, WindowsType(), "", "Of an HTTP API, with `load: append`: a request for each span of time.")
      .Optional("start", &R::start, Literal(), "", "Of an HTTP API, with `load: incremental`: `{cursor}` of the first run.")
      .Optional("timeout", &R::timeout, config::Duration(), "1h", "`command`: how long the program may be at work.")
      .Optional("max_output", &R::max_output, Size(), "(10GiB)", "`command`: how much it may print.")
      .Optional(
          "format", &R::format,
          config::At(Enum<ReadFormat>({{"csv", ReadFormat::kCsv, "separated values"},
                                       {"ndjson", ReadFormat::kNdjson, "one JSON object per line"},
                                       {"parquet", ReadFormat::kParquet, ""},
                                       {"json", ReadFormat::kJson, "JSON objects over many lines, one after another, or in one array"},
                                       {"xlsx", ReadFormat::kXlsx, "an Excel workbook"},
                                       {"orc", ReadFormat::kOrc, ""},
                                       {"avro", ReadFormat::kAvro, "Avro's container files"},
                                       {"fixed", ReadFormat::kFixed, "text whose fields stand at fixed places"},
                                       {"xml", ReadFormat::kXml, ""},
                                       {"delta", ReadFormat::kDelta, "a Delta table, with `load: external`"}})),
          "(by the ending of `files`; delta for `table`)", "The files' format.")
      .Optional("compression", &R::compression,
                Enum<std::string>({{"auto", "auto", "by the first bytes"},
                                   {"none", "none", ""},
                                   {"gzip", "gzip", ""},
                                   {"zstd", "zstd", ""},
                                   {"bzip2", "bzip2", ""},
                                   {"xz", "xz", ""},
                                   {"zip", "zip", "an archive whose members are files"}}),
                "auto", "How the files are compressed.")
      .Optional("members", &R::members, config::PlacedTextOf("glob", "\"*.csv\""), "(all)",
                "zip: which files of an archive are read, by their paths in it.")
      .Optional("encoding", &R::encoding, config::PlacedTextOf("encoding", "windows-1252"), "(utf-8, or what a byte order mark says)",
                "CSV, NDJSON, JSON and fixed: how the files write characters: `utf-8`, `utf-16`, `windows-1252`, `iso-8859-1`, … A byte "
                "order mark in a "
                "file says more than this key.")
      .Optional("delimiter", &R::delimiter, config::PlacedTextOf("text", "\";\""), "(detected)",
                "CSV: what stands between fields, also several bytes (`\"||\"`); `tab` for a tab.")
      .Optional("quote", &R::quote, character(), "(detected)", "CSV: what stands around a field; \"\" for nothing.")
      .Optional("escape", &R::escape, character(), "(detected)", "CSV: what stands before a quote inside quotes; \"\" for nothing.")
      .Optional("comment", &R::comment, character(), "(none)", "CSV: lines that start with it are skipped.")
      .Optional("header", &R::header, HeaderType(), "(detected)",
                "CSV, Excel: whether the first line names the fields; of CSV also how many lines do, together: their texts are joined by a "
                "blank.")
      .Optional("skip", &R::skip, Integer(0, 1'000'000), "(none)", "CSV, fixed: lines before the header or the first record.")
      .Optional("footer", &R::footer, Integer(0, 1000), "(none)",
                "CSV: lines behind the last record (totals, remarks) that are left out; blank ones are not counted.")
      .Optional("sheet", &R::sheet, config::PlacedTextOf("sheet", "Orders"), "(the only one that is shown)", "Excel: the sheet's name.")
      .Optional("range", &R::range, config::PlacedTextOf("range", "\"B3:F\""), "(from the first row that has a value)",
                "Excel: where the table is: `\"B3:F\"`, `\"A1:D100\"`, `\"A:F\"`.")
      .Optional("widths", &R::widths, ListOf(Integer(1, 1'000'000'000)), "",
                "fixed: the widths of the fields, one behind the other, in the order of the contract's columns.")
      .Optional("short_lines", &R::pads_short_lines,
                Enum<bool>({{"refuse", false, "the record is quarantined"}, {"pad", true, "it is read as if blanks stood behind it"}}),
                "refuse", "fixed: a line that ends before its last field does.")
      .Optional("record", &R::record, config::PlacedTextOf("element", "order"), "",
                "XML: the element that is a record, by its name or the end of its path (`orders/order`).")
      .Optional("on_changed_file", &R::on_changed_file,
                Enum<OnChangedFile>({{"fail", OnChangedFile::kFail, "the batch stops and names it"},
                                     {"ingest", OnChangedFile::kIngest, "it is read again, whole, as another file"},
                                     {"replace", OnChangedFile::kReplace, "its rows take the place of those that it brought before"},
                                     {"ignore", OnChangedFile::kIgnore, "it stays as it was read"}}),
                "fail", "What happens when a file already read has other contents since.")
      .Optional("on_renamed_file", &R::on_renamed_file,
                Enum<OnKnownContents>({{"skip", OnKnownContents::kSkip, "its rows are there already"},
                                       {"ingest", OnKnownContents::kIngest, "it is a file like any other"}}),
                "skip", "What happens when a new file has the contents of one already read that is gone from the folder.")
      .Optional("on_copied_file", &R::on_copied_file,
                Enum<OnKnownContents>({{"skip", OnKnownContents::kSkip, "its rows are there already"},
                                       {"ingest", OnKnownContents::kIngest, "it is a file like any other"}}),
                "ingest", "What happens when a new file has the contents of another one that is still there.")
      .Optional(
          "order", &R::order,
          Enum<FileOrder>({{"name", FileOrder::kName, "bytewise"}, {"modified", FileOrder::kModified, "the oldest first, then by name"}}),
          "name", "In which order the files of a batch are read: it decides which row is the last one for `deduplicate`.")
      .Optional("settle", &R::settle, config::Duration(), "0s", "A file is left for a later run until it was last modified so long ago.")
      .Optional("done_marker", &R::done_marker, config::PlacedTextOf("name", "\"{name}.done\""), "",
                "A file is left for a later run until this one stands beside it. `{name}` is its name, `{stem}` that without its ending; a "
                "name without either, as `_SUCCESS`, is for the whole folder.")
      .Place(&R::where)
      .Given(&R::given)
      .Slip("path", "write files: \"FOLDER/*.csv\", or table: FOLDER with load: external; relative to the connection's path")
      .Slip("glob", "write files:")
      .Slip("separator", "write delimiter:")
      .Slip("type", "write format:")
      .Example("files: \"orders/*.csv\"\nformat: csv\ndelimiter: \";\"")
      .Type();
}

config::Type<DeduplicateSpec> DeduplicateType() {
  using D = DeduplicateSpec;
  return Object<D>("deduplicate", "Deduplication", "Of several rows of one batch with the same key one stays; the others are counted.")
      .Required("key", &D::key, SomeNames("column"), "The columns that make rows the same.")
      .Optional("order_by", &D::order_by, SomeNames("column"), "(file and row)",
                "The row with the greatest values here stays; of equals the later by file and row.")
      .Place(&D::where)
      .Example("key: [order_id]\norder_by: [updated_at]")
      .Type();
}

config::Type<Load> LoadType() {
  const auto base =
      Enum<Load>({{"append", Load::kAppend, "each file once"},
                  {"full", Load::kFull, "each batch is a snapshot of the whole"},
                  {"external", Load::kExternal, "an existing Delta or Parquet table, read where it is and never written"},
                  {"incremental", Load::kIncremental, "of a database or an API: the rows that changed since the last batch"}});
  return {base.shape, [base](const config::Node& node, config::Reader& reader, Load* out) {
            for (const char* later : {"cdc", "stream"}) {
              if (node.text != later) continue;
              reader.diagnostics.Add(UserError("not-yet", "load: " + node.text + " is not supported yet")
                                         .At(node.where())
                                         .Hint("write load: append, full, incremental or external"));
              return false;
            }
            return base.read(node, reader, out);
          }};
}

void AddTableKeys(Object<SourceSpec>& object) {
  using S = SourceSpec;
  object.Optional("connection", &S::connection, Name("connection"), "", "One of the project's `connections`.")
      .Optional("read", &S::read, ReadType(), "", "Which files or which table, and how they are written.")
      .Optional("load", &S::load, LoadType(), "append", "How the table grows.")
      .Optional("keep", &S::keep,
                Enum<Keep>({{"all", Keep::kAll, "every snapshot, told apart by `_batch_id`"},
                            {"latest", Keep::kLatest, "the last one replaces those before"}}),
                "all", "With `load: full`: which snapshots the table has.")
      .Optional("cursor", &S::cursor, config::PlacedTextOf("column", "updated_at"), "(none: the whole table is looked at)",
                "With `load: incremental`: a column that grows with every change, a time or a number. Of a database it bounds what must be "
                "looked "
                "at; which rows are new is told by their transactions. Of an API it is where the next run goes on, as `{cursor}`.")
      .Optional(
          "lookback", &S::lookback, Literal(), "(10m of a time, 1d of a date, 0 of a number)",
          "With `cursor`: how far below the highest value rows may still be written by later transactions: `10m` of a time, `1000` of a "
          "number.")
      .Optional("exclude", &S::exclude, SomeNames("column"), "", "Of a database: columns that are never read.")
      .Optional("hash", &S::hash, SomeNames("column"), "", "Of a database: columns whose values leave it only as their SHA-256, in hex.")
      .Optional("as", &S::as, Name("table"), "(the table's own name)", "Under `tables` of a database: the name of the bronze table.")
      .Optional("deduplicate", &S::deduplicate, DeduplicateType(), "", "Which rows of a batch are the same.")
      .Optional("partition_by", &S::partition_by, SomeNames("column"), "",
                "Columns, or `year`, `month`, `day`, `hour` of one: `month(order_date)`.")
      .Optional("contract", &S::contract, ContractType(), "", "What the rows must be.")
      .Optional("checks", &S::checks, ListOf(CheckType()), "", "Rules over the whole table, before the batch is shown.")
      .Optional("freshness", &S::freshness, FreshnessType(), "", "How old the newest data may be.")
      .Optional("maintenance", &S::maintenance, MaintenanceType(), "", "What runs do for the bronze table and its quarantine.");
  AddProperties(object);
  object.Place(&S::where)
      .Given(&S::given)
      .Later("publish", "each source is published on its own for now")
      .Slip("name", "the file's name is the table's name")
      .Slip("columns", "write them in contract: { columns: [...] }")
      .Slip("files", "write read: { files: ... }")
      .Slip("format", "write read: { format: ... }")
      .Slip("path", "write read: { files: ... }, relative to the connection's path")
      .Slip("primary_key", "write deduplicate: { key: [...] }, or contract: { unique: [...] }")
      .Slip("sources", "one file per source; its keys stand at the top")
      .Slip("version", "leave it out");
}

}  // namespace

const config::Type<SourceSpec>& TableType() {
  static const auto type = [] {
    Object<SourceSpec> object("table", "Table of a source",
                              "One of a file's `tables`: the keys of a source, with the file's `defaults` below them.");
    AddTableKeys(object);
    return object.Type();
  }();
  return type;
}

const config::Type<SourceSpec>& SourceFileType() {
  static const auto type = [] {
    Object<SourceSpec> object("source", "Source",
                              "A file `sources/NAME.yml` makes the table `bronze.NAME`, an append log of what came in. Or it describes "
                              "many tables of one connection, under `tables`.");
    AddTableKeys(object);
    object
        .Optional("tables", &SourceSpec::tables, MapOf(AnyKeys("[table](#source)")), "",
                  "Many tables in one file: name → its keys. Beside it only `connection` and `defaults`.")
        .Optional("defaults", &SourceSpec::defaults, config::Raw(TableType().shape), "",
                  "With `tables`: keys for each of them; maps merge, lists replace.")
        .Example(
            "connection: drop\nread: { files: \"orders/*.csv\", format: csv }\nload: append\npartition_by: [\"month(order_date)\"]\n"
            "contract:\n  columns:\n    - { name: order_id, type: string, not_null: true }\n    - { name: order_date, type: date, "
            "not_null: true }\n"
            "freshness: { within: 24h }");
    return object.Type();
  }();
  return type;
}

}  // namespace sluice::project
