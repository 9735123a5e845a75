#include "state/copies.h"

#include <fmt/format.h>

#include "core/text.h"
#include "delta/deletion_vector.h"
#include "delta/path.h"

namespace sluice::state {
namespace {

constexpr int64_t kPieceBytes = 8LL << 20;

}  // namespace

Copies::Copies(store::ObjectStore& lake, std::string root, std::string prefix, const delta::Snapshot* live, Clock& clock, Random& random)
    : lake_(lake), root_(std::move(root)), prefix_(std::move(prefix)), clock_(clock), random_(random) {
  if (live == nullptr) return;
  for (const delta::Add& file : live->files) {
    live_paths_.insert(file.path);
    if (!file.deletion_vector) continue;
    if (auto vector = delta::DeletionVectorFile(lake_, root_, *file.deletion_vector)) live_vectors_.insert(std::move(*vector));
  }
}

bool Copies::IsLive(const delta::DeletionVector& vector) const {
  const auto file = delta::DeletionVectorFile(lake_, root_, vector);
  return !file || live_vectors_.contains(*file);  // one without a file stands in the log
}

std::string Copies::CopyOf(const std::string& path) const {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  return fmt::format("{}{}-{}-copy.parquet", folder, PercentEncode(prefix_, false), Hex(Hash64(path)));
}

std::vector<std::string> Copies::NeedsOf(const delta::Add& file) const {
  std::vector<std::string> keys;
  if (!IsLive(file.path)) keys.push_back(delta::StoreKey(root_, file.path));
  if (file.deletion_vector && !IsLive(*file.deletion_vector))
    keys.push_back(root_ + "/" + *delta::DeletionVectorFile(lake_, root_, *file.deletion_vector));
  return keys;
}

bool Copies::Lasts(const delta::Add& copy) const {
  if (!copy.deletion_vector || IsLive(*copy.deletion_vector)) return true;
  return delta::DeletionVectorFile(lake_, root_, *copy.deletion_vector)->starts_with(prefix_);
}

Result<delta::Add> Copies::Lasting(const delta::Add& file) {
  delta::Add lasting = file;
  if (!IsLive(file.path)) {
    lasting.path = CopyOf(file.path);
    SLUICE_CHECK(CopyObject(delta::StoreKey(root_, file.path), delta::StoreKey(root_, lasting.path)));
  }
  if (file.deletion_vector && !IsLive(*file.deletion_vector)) {
    SLUICE_TRY(auto rows, delta::ReadDeletionVector(lake_, root_, *file.deletion_vector));
    SLUICE_TRY(auto written, delta::WriteDeletionVectors(lake_, root_, prefix_, {std::move(rows)}, clock_, random_));
    lasting.deletion_vector = std::move(written[0]);
  }
  return lasting;
}

Result<delta::CdcFile> Copies::Copy(const delta::CdcFile& file) {
  delta::CdcFile copy = file;
  copy.path = CopyOf(file.path);
  SLUICE_CHECK(CopyObject(delta::StoreKey(root_, file.path), delta::StoreKey(root_, copy.path)));
  return copy;
}

Status Copies::CopyObject(const std::string& from, const std::string& to) {
  SLUICE_TRY(const store::ObjectMeta meta, lake_.Head(from));
  if (meta.size <= kPieceBytes) {
    SLUICE_TRY(const std::string bytes, lake_.Get(from));
    return lake_.Put(to, bytes);
  }
  SLUICE_TRY(const auto writer, lake_.OpenWriter(to));
  for (int64_t at = 0; at < meta.size; at += kPieceBytes) {
    SLUICE_TRY(const std::string piece, lake_.GetRange(from, at, kPieceBytes));
    if (piece.empty()) return Fail(RetryableError("object-changed", from + " became shorter while it was copied"));
    SLUICE_CHECK(writer->Write(piece));
  }
  return writer->Close();
}

}  // namespace sluice::state
