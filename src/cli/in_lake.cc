#include "cli/in_lake.h"

#include <fmt/format.h>

#include <filesystem>

#include "core/text.h"
#include "store/place.h"
#include "store/remote.h"

namespace sluice::cli {
namespace {

// The folder above, "" at the top.
std::string Above(const std::string& path) {
  const size_t slash = path.find_last_not_of('/');
  const size_t end = path.rfind('/', slash);
  return end == std::string::npos || slash == std::string::npos ? "" : path.substr(0, end);
}

bool HasRecords(const std::string& lake) {
  const auto place = store::OpenPlace(lake);
  if (!place) return false;
  const auto records = place->store->List((place->key.empty() ? "" : place->key + "/") + "_sluice/batches/");
  return records && !records->empty();
}

}  // namespace

bool IsPlace(const Context& context, const std::string& name) {
  std::error_code ignored;
  return name.find('/') != std::string::npos ||
         std::filesystem::is_directory(std::filesystem::path(PlaceOf(context, name)) / "_delta_log", ignored);
}

Status CheckNotInLake(Context& context, const std::string& name) {
  std::error_code ignored;
  std::string path = PlaceOf(context, name);
  if (!store::IsRemote(name)) {
    if (!std::filesystem::is_directory(std::filesystem::path(path) / "_delta_log", ignored)) return Ok();
    path = std::filesystem::weakly_canonical(path, ignored).string();
  }
  const std::string layer = Above(path), lake = Above(layer);  // <lake>/<layer>/<table>
  if (lake.empty() || lake.ends_with(":/") || lake.ends_with(':') || !HasRecords(lake)) return Ok();
  const std::string table = layer.substr(layer.rfind('/') + 1) + "." + path.substr(path.find_last_of('/') + 1);
  return Fail(UserError("table-of-a-lake", fmt::format("{} is a table of a lake: its batches must be known", name))
                  .Hint(fmt::format("name it as {}, in its project (-C DIR)", table)));
}

}  // namespace sluice::cli
