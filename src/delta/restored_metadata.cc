#include "delta/restored_metadata.h"

#include <fmt/format.h>

#include <algorithm>

#include "delta/column_mapping.h"

namespace sluice::delta {
namespace {

constexpr std::string_view kKept[] = {"delta.columnMapping.", "delta.enableInCommitTimestamps", "delta.inCommitTimestampEnablement",
                                      "delta.enableChangeDataFeed"};

bool IsKept(std::string_view property) {
  return std::any_of(std::begin(kKept), std::end(kKept), [&](std::string_view kept) { return property.starts_with(kept); });
}

}  // namespace

Result<Metadata> RestoredMetadata(const Snapshot& then, const Snapshot& now) {
  if (ColumnMappingOf(then.protocol, then.metadata) != ColumnMappingOf(now.protocol, now.metadata))
    return Fail(
        ConflictError("restore-impossible", fmt::format("version {} is from before the table's column mapping was changed", then.version))
            .Hint("versions since then can be restored"));
  Metadata restored = then.metadata;
  restored.id = now.metadata.id;
  std::erase_if(restored.configuration, [](const auto& property) { return IsKept(property.first); });
  for (const auto& [name, value] : now.metadata.configuration)
    if (IsKept(name)) restored.configuration[name] = value;
  return restored;
}

}  // namespace sluice::delta
