#include "delta/compare_snapshots.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "delta/duration.h"

namespace sluice::delta {
namespace {

constexpr size_t kMostNamed = 5;

// Other writers parse statistics and write them again.
bool SameStats(const std::string& a, const std::string& b) {
  if (a == b) return true;
  const auto x = nlohmann::json::parse(a, nullptr, /*allow_exceptions=*/false), y = nlohmann::json::parse(b, nullptr, false);
  return !x.is_discarded() && x == y;
}

class Comparison {
 public:
  Comparison(const Snapshot& checkpoint, const Snapshot& replay, Instant written)
      : checkpoint_(checkpoint), replay_(replay), written_(written.millis()) {}

  std::vector<std::string> Run() {
    if (!(checkpoint_.protocol == replay_.protocol)) Say("its protocol is another than the log's");
    if (!(checkpoint_.metadata == replay_.metadata)) Say("its metaData is another than the log's");
    if (checkpoint_.domains != replay_.domains) Say("its domainMetadata is another than the log's");
    Transactions();
    Walk<Add>(checkpoint_.files, replay_.files, "file", [](const Add&) { return true; });
    const auto retention = DurationOf(replay_.metadata, "delta.deletedFileRetentionDuration", 7 * kDayMillis);
    Walk<Remove>(checkpoint_.tombstones, replay_.tombstones, "tombstone",
                 [&](const Remove& remove) { return retention && remove.deletion_timestamp.value_or(0) + *retention > written_; });
    if (differing_files_ > kMostNamed) Say(fmt::format("{} files and tombstones differ in all", differing_files_));
    return std::move(said_);
  }

 private:
  void Say(std::string what) { said_.push_back(std::move(what)); }
  void SayOfFile(std::string what) {
    if (++differing_files_ <= kMostNamed) Say(std::move(what));
  }

  void Transactions() {
    const bool expire = replay_.metadata.configuration.contains("delta.setTransactionRetentionDuration");
    for (const auto& [app, txn] : replay_.txns) {
      const auto theirs = checkpoint_.txns.find(app);
      if (theirs == checkpoint_.txns.end() ? !expire : theirs->second.version != txn.version)
        Say(fmt::format("its transaction of {} is {}, the log's is {}", app,
                        theirs == checkpoint_.txns.end() ? "missing" : std::to_string(theirs->second.version), txn.version));
    }
    for (const auto& [app, txn] : checkpoint_.txns)
      if (!replay_.txns.contains(app)) Say(fmt::format("it has a transaction of {}, which the log does not have", app));
  }

  void Compare(const Add& theirs, const Add& ours) {
    if (theirs.size != ours.size)
      SayOfFile(fmt::format("the size of {} is {}, in the log {}", ours.path, theirs.size, ours.size));
    else if (theirs.partition_values != ours.partition_values)
      SayOfFile(fmt::format("the partition values of {} are others than the log's", ours.path));
    else if (!theirs.stats.empty() && !SameStats(theirs.stats, ours.stats))
      SayOfFile(fmt::format("the statistics of {} are others than the log's", ours.path));
    else if (!(theirs.deletion_vector == ours.deletion_vector))
      SayOfFile(fmt::format("the deletion vector of {} is another than the log's", ours.path));
    else if (theirs.stats.empty() && !ours.stats.empty() && KeepsJsonStats())
      SayOfFile(fmt::format("it has no statistics of {}", ours.path));
  }
  void Compare(const Remove&, const Remove&) {}

  bool KeepsJsonStats() const {
    const auto found = replay_.metadata.configuration.find("delta.checkpoint.writeStatsAsJson");
    return found == replay_.metadata.configuration.end() || !EqualsIgnoreCase(found->second, "false");
  }

  // Both lists are sorted by key.
  template <typename File, typename Needed>
  void Walk(const FileList<File>& theirs, const FileList<File>& ours, std::string_view kind, Needed needed) {
    auto a = theirs.begin();
    auto b = ours.begin();
    const auto key = [](const File& file) { return LogicalKey(file.path, file.deletion_vector); };
    while (a != theirs.end() || b != ours.end()) {
      const int order = a == theirs.end() ? 1 : b == ours.end() ? -1 : key(*a).compare(key(*b));
      if (order < 0) {
        SayOfFile(fmt::format("it has the {} {}, which the log does not have", kind, a->path));
        ++a;
      } else if (order > 0) {
        if (needed(*b)) SayOfFile(fmt::format("it lacks the {} {}", kind, b->path));
        ++b;
      } else {
        Compare(*a, *b);
        ++a, ++b;
      }
    }
  }

  const Snapshot &checkpoint_, &replay_;
  const int64_t written_;
  size_t differing_files_ = 0;
  std::vector<std::string> said_;
};

}  // namespace

std::vector<std::string> CompareSnapshots(const Snapshot& checkpoint, const Snapshot& replay, Instant written) {
  return Comparison(checkpoint, replay, written).Run();
}

}  // namespace sluice::delta
