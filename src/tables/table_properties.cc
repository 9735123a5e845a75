// Which properties a table may be given, and with which values.
#include <fmt/format.h>

#include <array>
#include <charconv>

#include "core/text.h"
#include "delta/duration.h"
#include "tables/alter.h"

namespace sluice::tables {
namespace {

enum class Kind { kSwitch, kCount, kAnyInteger, kDuration, kText };

struct Known {
  std::string_view key;
  Kind kind;
};
// Of the protocol and of Delta's writers; those that switch on what Sluice does not write are refused by feature, later.
constexpr std::array kKnown = {Known{"delta.appendOnly", Kind::kSwitch},
                               Known{"delta.enableChangeDataFeed", Kind::kSwitch},
                               Known{"delta.enableDeletionVectors", Kind::kSwitch},
                               Known{"delta.enableTypeWidening", Kind::kSwitch},
                               Known{"delta.enableInCommitTimestamps", Kind::kSwitch},
                               Known{"delta.enableExpiredLogCleanup", Kind::kSwitch},
                               Known{"delta.enableRowTracking", Kind::kSwitch},
                               Known{"delta.enableIcebergCompatV1", Kind::kSwitch},
                               Known{"delta.enableIcebergCompatV2", Kind::kSwitch},
                               Known{"delta.enableVariantShredding", Kind::kSwitch},
                               Known{"delta.checkpointInterval", Kind::kCount},
                               Known{"delta.dataSkippingNumIndexedCols", Kind::kAnyInteger},
                               Known{"delta.dataSkippingStatsColumns", Kind::kText},
                               Known{"delta.logRetentionDuration", Kind::kDuration},
                               Known{"delta.deletedFileRetentionDuration", Kind::kDuration},
                               Known{"delta.isolationLevel", Kind::kText},
                               Known{"delta.checkpointPolicy", Kind::kText},
                               Known{"delta.checkpoint.writeStatsAsJson", Kind::kSwitch},
                               Known{"delta.checkpoint.writeStatsAsStruct", Kind::kSwitch},
                               Known{"delta.autoOptimize.autoCompact", Kind::kText},
                               Known{"delta.autoOptimize.optimizeWrite", Kind::kSwitch},
                               Known{"delta.targetFileSize", Kind::kText},
                               Known{"delta.tuneFileSizesForRewrites", Kind::kSwitch},
                               Known{"delta.randomizeFilePrefixes", Kind::kSwitch},
                               Known{"delta.randomPrefixLength", Kind::kCount},
                               Known{"delta.columnMapping.mode", Kind::kText},
                               Known{"delta.minReaderVersion", Kind::kCount},
                               Known{"delta.minWriterVersion", Kind::kCount}};

constexpr int64_t kLeastFileBytes = 64LL << 10;

bool IsSwitch(const std::string& value) { return EqualsIgnoreCase(value, "true") || EqualsIgnoreCase(value, "false"); }

std::optional<int64_t> Integer(const std::string& text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

Error Bad(const std::string& key, const std::string& why, const std::string& hint) {
  return UserError("bad-property", fmt::format("{}: {}", key, why)).Hint(hint);
}

Status CheckValue(const Known& known, const std::string& value) {
  const std::string key(known.key);
  switch (known.kind) {
    case Kind::kSwitch:
      return IsSwitch(value) ? Ok() : Status(Fail(Bad(key, fmt::format("\"{}\" is neither true nor false", value), "true or false")));
    case Kind::kCount:
      return Integer(value).value_or(0) > 0 ? Ok() : Status(Fail(Bad(key, fmt::format("\"{}\" is no count", value), "as 10")));
    case Kind::kAnyInteger:
      return Integer(value).value_or(-2) >= -1
                 ? Ok()
                 : Status(Fail(Bad(key, fmt::format("\"{}\" is no number of columns", value), "as 32, or -1 for all")));
    case Kind::kDuration:
      return delta::ParseDuration(value)
                 ? Ok()
                 : Status(Fail(Bad(key, fmt::format("\"{}\" is no duration", value), "as \"interval 30 days\" or \"12 hours\"")));
    case Kind::kText:
      break;
  }
  if (key == "delta.isolationLevel" && !EqualsIgnoreCase(value, "Serializable") && !EqualsIgnoreCase(value, "WriteSerializable"))
    return Fail(Bad(key, fmt::format("\"{}\" is no isolation level", value), "Serializable or WriteSerializable"));
  if (key == "delta.targetFileSize" && ParseBytes(value).value_or(0) < kLeastFileBytes)
    return Fail(Bad(key, fmt::format("\"{}\" is no size of at least 64KiB", value), "as 104857600 or 128mb"));
  if (key == "delta.autoOptimize.autoCompact" && !IsSwitch(value) && !EqualsIgnoreCase(value, "auto") && !EqualsIgnoreCase(value, "legacy"))
    return Fail(Bad(key, fmt::format("\"{}\" is no such setting", value), "true, false, auto or legacy"));
  if (key == "delta.dataSkippingStatsColumns")
    return Fail(UnsupportedError("unsupported-feature", key + ": Sluice writes statistics of the first columns")
                    .Hint("delta.dataSkippingNumIndexedCols says of how many"));
  if (key == "delta.checkpointPolicy" && !EqualsIgnoreCase(value, "classic") && !EqualsIgnoreCase(value, "v2"))
    return Fail(Bad(key, fmt::format("\"{}\" is no policy", value), "classic"));
  return Ok();
}

// What other parts of the product, or of the protocol, decide.
Status CheckMayBeSet(const std::string& key) {
  if (EqualsIgnoreCase(key, "delta.setTransactionRetentionDuration"))
    return Fail(UnsupportedError("transaction-retention", key + ": a table that forgets transactions cannot hold batches exactly once"));
  if (key.starts_with("delta.constraints."))
    return Fail(Bad(key, "constraints are held against the rows first", "--add-constraint NAME=CONDITION"));
  for (const std::string_view own :
       {"delta.columnMapping.maxColumnId", "delta.inCommitTimestampEnablementVersion", "delta.inCommitTimestampEnablementTimestamp"})
    if (key == own) return Fail(Bad(key, "the protocol's own, kept by writers", "leave it"));
  if (key == "delta.minReaderVersion" || key == "delta.minWriterVersion")
    return Fail(Bad(key, "versions follow from what the table uses", "ask for a feature: delta.feature.NAME=supported"));
  return Ok();
}

std::string PropertyOf(const std::map<std::string, std::string>& configuration, const std::string& key) {
  const auto at = configuration.find(key);
  return at == configuration.end() ? "" : at->second;
}

Status CheckMappingMode(const delta::Snapshot& before, const std::string& value) {
  const std::string key = "delta.columnMapping.mode", now = ToLower(PropertyOf(before.metadata.configuration, key));
  if (EqualsIgnoreCase(value, now.empty() ? "none" : now)) return Ok();
  if ((now.empty() || now == "none") && EqualsIgnoreCase(value, "name")) return Ok();
  return Fail(UnsupportedError("unsupported-feature", fmt::format("{} can only become name, and stays what it is then", key)));
}

}  // namespace

Status SetProperty(const std::string& key, const std::optional<std::string>& value, const delta::Snapshot& before,
                   std::map<std::string, std::string>* configuration) {
  if (!value) {
    if (configuration->erase(key) == 0) {
      std::vector<std::string> keys;
      for (const auto& entry : *configuration) keys.push_back(entry.first);
      return Fail(Bad(key, "the table has no such property" + DidYouMean(key, keys), "`sluice table show TABLE --json` lists them"));
    }
    if (key == "delta.columnMapping.mode") return Fail(UnsupportedError("unsupported-feature", "column mapping cannot be taken away"));
    return key == "delta.setTransactionRetentionDuration" ? Ok() : CheckMayBeSet(key);
  }
  SLUICE_CHECK(CheckMayBeSet(key));
  if (!key.starts_with("delta.") || key.starts_with("delta.feature.")) {
    (*configuration)[key] = *value;
    return Ok();
  }
  for (const Known& known : kKnown) {
    if (known.key != key) continue;
    SLUICE_CHECK(CheckValue(known, *value));
    if (key == "delta.columnMapping.mode") SLUICE_CHECK(CheckMappingMode(before, *value));
    (*configuration)[key] = *value;
    return Ok();
  }
  std::vector<std::string> keys;
  for (const Known& known : kKnown) keys.emplace_back(known.key);
  return Fail(Bad(key, "no property of Delta tables" + DidYouMean(key, keys), "names of your own do not begin with \"delta.\""));
}

}  // namespace sluice::tables
