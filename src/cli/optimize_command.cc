// table optimize: the same rows in fewer, fuller files.
#include <fmt/format.h>

#include <charconv>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/foreign_change.h"
#include "cli/in_lake.h"
#include "cli/table_args.h"
#include "core/counted.h"
#include "core/text.h"
#include "tables/file_stats.h"
#include "tables/optimize.h"

namespace sluice::cli {
namespace {

using nlohmann::ordered_json;

struct Size {
  int64_t files = 0, bytes = 0, rows = 0, vectors = 0;  // rows: -1 where statistics do not tell
};

void Add(const delta::Add& add, Size* size) {
  ++size->files;
  size->bytes += add.size;
  if (add.deletion_vector) ++size->vectors;
  const auto rows = tables::RowsOf(add);
  size->rows = rows && size->rows >= 0 ? size->rows + *rows : -1;
}

Size SizeOf(const delta::Snapshot& snapshot) {
  Size size;
  for (const delta::Add& add : snapshot.files) Add(add, &size);
  return size;
}

// What the change takes away and brings.
struct Rewritten {
  Size before, after;
};

Rewritten RewrittenBy(const tables::StagedChange& change) {
  Rewritten out;
  for (const tables::StagedFile& file : change.added) Add(file.add, &out.after);
  for (const delta::Action& action : change.commit.actions) {
    const auto* remove = std::get_if<delta::Remove>(&action);
    if (remove == nullptr) continue;
    ++out.before.files;
    out.before.bytes += remove->size.value_or(0);
    if (remove->deletion_vector) ++out.before.vectors;
  }
  return out;
}

// "5%" or "0.05"; nullopt if it is no share.
std::optional<double> ParseShare(std::string_view text) {
  const bool percent = text.ends_with('%');
  if (percent) text.remove_suffix(1);
  double share = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), share);
  if (error != std::errc() || end != text.data() + text.size() || share < 0) return std::nullopt;
  share = percent ? share / 100 : share;
  return share <= 1 ? std::optional(share) : std::nullopt;
}

Result<tables::OptimizeSpec> SpecOf(const OptimizeArgs& args) {
  tables::OptimizeSpec spec;
  spec.where = args.where;
  for (const std::string& list : args.z_order_by)
    for (const std::string& name : Split(list, ',')) spec.z_order_by.emplace_back(Trim(name));
  const auto share = ParseShare(args.purge_share);
  if (!share)
    return Fail(UserError("bad-share", fmt::format("--purge-share {} is no share", args.purge_share)).Hint("write it as 5% or 0.05"));
  spec.purge_share = args.purge ? 0 : *share;
  return spec;
}

constexpr int64_t kUsualFileBytes = 256LL << 20;

// As asked for, else as the table says, else the usual.
Result<int64_t> TargetSizeOf(const OptimizeArgs& args, const delta::Metadata& metadata) {
  if (args.target_size.empty()) {
    const auto property = metadata.configuration.find("delta.targetFileSize");
    const auto said = property == metadata.configuration.end() ? std::nullopt : ParseBytes(property->second);
    return said && *said >= (64LL << 10) ? *said : kUsualFileBytes;
  }
  const auto bytes = ParseBytes(args.target_size);
  if (!bytes || *bytes < (64LL << 10))
    return Fail(UserError("bad-size", fmt::format("--target-size {} is no size of at least 64KiB", args.target_size))
                    .Hint("write it as 256MiB or 1GB"));
  return *bytes;
}

std::string RowsText(int64_t rows) { return rows < 0 ? "unknown" : FormatCount(rows); }

void Print(Context& context, const FoundTable& table, const tables::TableTarget& target, const Size& was, const Size& is,
           const Rewritten& rewritten, int64_t version, double seconds) {
  const int64_t from = target.snapshot->version;
  if (context.globals.json) {
    const auto pair = [](int64_t before, int64_t after) { return ordered_json{{"before", before}, {"after", after}}; };
    ordered_json json = {{"table", table.name},     {"location", table.location()}, {"operation", "OPTIMIZE"},
                         {"changed", version >= 0}, {"from_version", from},         {"to_version", version >= 0 ? version : from}};
    json["files"] = pair(was.files, is.files);
    json["bytes"] = pair(was.bytes, is.bytes);
    json["deletion_vectors"] = pair(was.vectors, is.vectors);
    json["rows"] = was.rows < 0 ? ordered_json() : ordered_json(was.rows);
    json["rewritten"] = {{"files_removed", rewritten.before.files},
                         {"bytes_removed", rewritten.before.bytes},
                         {"files_added", rewritten.after.files},
                         {"bytes_added", rewritten.after.bytes},
                         {"rows", rewritten.after.rows}};
    json["seconds"] = seconds;
    context.io.out << json.dump(2) << "\n";
    return;
  }
  if (version < 0) {
    context.io.out << fmt::format("{} v{}: nothing to do: {}, {}\n", table.name, from, Counted(was.files, "file"), FormatBytes(was.bytes));
    return;
  }
  context.io.out << fmt::format("{} v{}→v{}: {} ({}) rewritten as {} ({}), {}, {:.1f} s\n", table.name, from, version,
                                Counted(rewritten.before.files, "file"), FormatBytes(rewritten.before.bytes),
                                FormatCount(rewritten.after.files), FormatBytes(rewritten.after.bytes),
                                rewritten.after.rows < 0 ? "unknown rows" : Counted(rewritten.after.rows, "row"), seconds);
  context.io.out << RenderTable({"", "before", "after"},
                                {{"files", FormatCount(was.files), FormatCount(is.files)},
                                 {"bytes", FormatBytes(was.bytes), FormatBytes(is.bytes)},
                                 {"deletion vectors", FormatCount(was.vectors), FormatCount(is.vectors)},
                                 {"rows", RowsText(was.rows), RowsText(is.rows)}},
                                {false, true, true});
}

// The columns by which whole files are chosen.
contract::Schema PartitionSchema(const tables::TableTarget& target) {
  contract::Schema schema;
  for (const std::string& name : target.snapshot->metadata.partition_columns)
    if (const contract::Field* field = target.schema.Find(name)) schema.fields.push_back(*field);
  return schema;
}

Result<int> Optimize(Context& context, const OptimizeArgs& args) {
  SLUICE_TRY(const tables::OptimizeSpec spec, SpecOf(args));
  SLUICE_TRY(FoundTable table, FindTable(context, args.table));
  if (table.by_path()) SLUICE_CHECK(CheckNotInLake(context, args.table));
  SLUICE_TRY(const tables::TableTarget target, TargetOf(table));
  SLUICE_TRY(const int64_t target_bytes, TargetSizeOf(args, target.snapshot->metadata));
  SLUICE_TRY(const auto connection, Connect(table));
  if (!spec.where.empty() && target.snapshot->metadata.partition_columns.empty())
    return Fail(UserError("not-partitioned", fmt::format("--where chooses partitions, and {} has none", table.name)));
  if (!spec.where.empty())
    SLUICE_CHECK(CheckExpression(table, *connection, "--where", spec.where, {{"target", PartitionSchema(target)}}, true));
  const TableOperation operation(table, "optimize");
  tables::StageOptions options = operation.Options();
  options.target_file_bytes = target_bytes;
  SLUICE_TRY(const tables::StagedChange change, tables::StageOptimize(target, *connection, spec, options));
  const Size was = SizeOf(*target.snapshot);
  if (change.empty) {
    Print(context, table, target, was, was, {}, -1, operation.Seconds());
    return kDone;
  }
  SLUICE_TRY(const int64_t version, operation.Commit(target, change));
  SLUICE_TRY(const delta::Snapshot after, delta::LoadSnapshot(*table.store, table.root, version));
  Print(context, table, target, was, SizeOf(after), RewrittenBy(change), version, operation.Seconds());
  return kDone;
}

}  // namespace

int TableOptimize(Context& context, const OptimizeArgs& args) { return Finish(context, Optimize(context, args)); }

}  // namespace sluice::cli
