#include "tables/optimize.h"

#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "core/text.h"
#include "delta/json_text.h"
#include "tables/file_stats.h"
#include "tables/keyed.h"
#include "tables/prune.h"

namespace sluice::tables {
namespace {

using Bin = std::vector<const delta::Add*>;

constexpr int kZOrderBits = 10;  // of each column: 1,024 ranges of equal size

std::map<delta::PartitionValues, Bin> ByPartition(const Bin& files) {
  std::map<delta::PartitionValues, Bin> groups;
  for (const delta::Add* add : files) groups[add->partition_values].push_back(add);
  return groups;
}

int64_t BytesLeft(const delta::Add& add) {
  if (!add.deletion_vector) return add.size;
  const auto records = RecordsOf(add), rows = RowsOf(add);
  if (!records || !rows || *records == 0) return add.size;
  return static_cast<int64_t>(static_cast<double>(add.size) * static_cast<double>(*rows) / static_cast<double>(*records));
}

bool IsSmall(const delta::Add& add, int64_t target_bytes) { return BytesLeft(add) < target_bytes / 4 * 3; }

bool WorthPurging(const delta::Add& add, double share) {
  if (!add.deletion_vector) return false;
  const auto records = RecordsOf(add);
  return !records || static_cast<double>(add.deletion_vector->cardinality) >= share * static_cast<double>(*records);
}

// A row's place on the Z-curve: the bits of its columns' ranks interleaved, the highest first.
std::string ZOrder(const std::vector<std::string>& columns) {
  std::vector<std::string> bits;
  for (int bit = 0; bit < kZOrderBits; ++bit)
    for (size_t i = 0; i < columns.size(); ++i)
      bits.push_back(
          fmt::format("(((CAST(__rank_{0} AS HUGEINT) >> {1}) & 1) << {2})", i, bit, static_cast<size_t>(bit) * columns.size() + i));
  return Join(bits, " | ");
}

class Optimize {
 public:
  Optimize(const TableTarget& target, engines::Connection& connection, const OptimizeSpec& spec, const StageOptions& options)
      : target_(target), connection_(connection), spec_(spec), options_(options) {}

  Result<StagedChange> Stage() {
    SLUICE_TRY(plan_, PlanUnchanged(target_));
    SLUICE_CHECK(ResolveOrder());
    SLUICE_TRY(const Bin files, ChosenFiles());
    CommitParts parts;
    for (const Bin& bin : Bins(files)) {
      SLUICE_TRY(auto written, Rewrite(bin));
      std::move(written.begin(), written.end(), std::back_inserter(parts.added));
      parts.removed.insert(parts.removed.end(), bin.begin(), bin.end());
    }
    if (parts.removed.empty()) return NoChange(plan_, {});
    parts.data_change = false;
    parts.operation = "OPTIMIZE";
    std::vector<std::string> names;
    for (const std::string& name : order_) names.push_back(delta::JsonString(name));
    parts.parameters = {{"predicate", delta::JsonString(spec_.where.empty() ? "[]" : "[" + delta::JsonString(spec_.where) + "]")},
                        {"zOrderBy", delta::JsonString("[" + Join(names, ",") + "]")}};
    return MakeChange(target_, std::move(plan_), std::move(parts), options_);
  }

 private:
  Status ResolveOrder() {
    SLUICE_TRY(order_, KnownColumns(plan_.schema, spec_.z_order_by, "z-order column", target_.name));
    for (const std::string& name : order_) {
      const bool partition =
          std::find(plan_.partition_columns.begin(), plan_.partition_columns.end(), name) != plan_.partition_columns.end();
      if (partition || !plan_.schema.Find(name)->type.children.empty())
        return Fail(
            UserError("bad-z-order", fmt::format("{}: \"{}\" {}", target_.name, name,
                                                 partition ? "is a partition column: its files hold one value each" : "has no order")));
    }
    return Ok();
  }

  // Those of partitions that have enough small files.
  Bin FilesWorthWhile() const {
    Bin files;
    for (auto& [values, group] : ByPartition(FilesOf(target_))) {
      const auto small =
          std::count_if(group.begin(), group.end(), [&](const delta::Add* add) { return IsSmall(*add, options_.target_file_bytes); });
      if (small >= spec_.min_small_files) files.insert(files.end(), group.begin(), group.end());
    }
    return files;
  }

  Result<Bin> ChosenFiles() {
    Bin files = spec_.min_small_files > 0 ? FilesWorthWhile() : FilesOf(target_);
    if (spec_.where.empty()) return files;
    return FilesInPartitions(connection_, {plan_.schema, plan_.partition_columns, MappingOf(target_)}, files, spec_.where);
  }

  std::vector<Bin> Bins(const Bin& files) const {
    if (order_.empty()) return PackFiles(files, options_.target_file_bytes, spec_.purge_share);
    std::vector<Bin> bins;
    for (auto& [values, bin] : ByPartition(files)) bins.push_back(std::move(bin));
    return bins;
  }

  Result<std::vector<StagedFile>> Rewrite(const Bin& bin) {
    SLUICE_TRY(const std::string rows, TargetRows(target_, plan_, bin));
    const std::string columns = Columns("", plan_.AllColumns());
    std::string sql = fmt::format("SELECT {} FROM {}", columns, rows);
    if (!order_.empty()) {
      std::vector<std::string> ranks;
      for (size_t i = 0; i < order_.size(); ++i)
        ranks.push_back(fmt::format("ntile({}) OVER (ORDER BY {}) - 1 AS __rank_{}", 1 << kZOrderBits, QuoteIdentifier(order_[i]), i));
      sql = fmt::format("SELECT {} FROM (SELECT *, {} FROM {}) ORDER BY {}", columns, Join(ranks, ", "), rows, ZOrder(order_));
    }
    SLUICE_TRY(const auto writer, RowWriter::Open(target_, plan_, options_));
    SLUICE_TRY(const auto reader, connection_.Query(sql));
    SLUICE_TRY([[maybe_unused]] const int64_t count, writer->WriteAll(*reader, Brought::kKept));
    return writer->Finish();
  }

  const TableTarget& target_;
  engines::Connection& connection_;
  const OptimizeSpec& spec_;
  const StageOptions& options_;
  TablePlan plan_;
  std::vector<std::string> order_;
};

}  // namespace

bool HasSmallFiles(const delta::FileList<delta::Add>& files, int64_t target_bytes, int64_t min_small_files) {
  std::vector<const delta::Add*> small;
  for (const delta::Add& add : files)
    if (IsSmall(add, target_bytes)) small.push_back(&add);
  if (static_cast<int64_t>(small.size()) < min_small_files) return false;
  const auto groups = ByPartition(small);
  return std::any_of(groups.begin(), groups.end(),
                     [&](const auto& group) { return static_cast<int64_t>(group.second.size()) >= min_small_files; });
}

std::vector<std::vector<const delta::Add*>> PackFiles(const std::vector<const delta::Add*>& files, int64_t target_bytes,
                                                      double purge_share) {
  std::vector<Bin> bins;
  for (auto& [values, group] : ByPartition(files)) {
    Bin small;
    for (const delta::Add* add : group)
      if (IsSmall(*add, target_bytes) || WorthPurging(*add, purge_share)) small.push_back(add);
    std::stable_sort(small.begin(), small.end(), [](const delta::Add* a, const delta::Add* b) { return BytesLeft(*a) < BytesLeft(*b); });
    Bin bin;
    int64_t bytes = 0;
    const auto close = [&] {
      const bool purges = std::any_of(bin.begin(), bin.end(), [&](const delta::Add* add) { return WorthPurging(*add, purge_share); });
      if (bin.size() > 1 || purges) bins.push_back(std::move(bin));
      bin.clear();
      bytes = 0;
    };
    for (const delta::Add* add : small) {
      if (!bin.empty() && bytes + BytesLeft(*add) > target_bytes) close();
      bin.push_back(add);
      bytes += BytesLeft(*add);
    }
    close();
  }
  return bins;
}

Result<StagedChange> StageOptimize(const TableTarget& target, engines::Connection& connection, const OptimizeSpec& spec,
                                   const StageOptions& options) {
  return Optimize(target, connection, spec, options).Stage();
}

}  // namespace sluice::tables
