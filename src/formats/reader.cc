#include "formats/reader.h"

namespace sluice::formats {
namespace {

class EmptyReader : public RecordReader {
 public:
  Result<std::unique_ptr<RawBlock>> Next() override { return nullptr; }
};

}  // namespace

std::unique_ptr<RecordReader> NoRecords() { return std::make_unique<EmptyReader>(); }

contract::Schema ReadRequest::schema() const {
  contract::Schema schema;
  for (const contract::ColumnContract& column : contract->columns) schema.fields.push_back({column.name, column.type, true, {}});
  for (const contract::Field& field : extra) schema.fields.push_back({field.name, field.type, true, {}});
  return schema;
}

Result<store::ObjectMeta> ObjectOf(const ReadRequest& request) {
  if (request.object != nullptr) return *request.object;
  return request.store->Head(request.key);
}

Status CheckUnchanged(store::ObjectStore& store, const store::ObjectMeta& before) {
  SLUICE_TRY(const store::ObjectMeta now, store.Head(before.key));
  if (now.etag == before.etag && now.size == before.size) return Ok();
  return Fail(RetryableError("file-changed-while-read", store.Uri(before.key) + " changed while it was being read")
                  .Hint("let the writer finish: write under a temporary name (.tmp, .part) and rename"));
}

std::string NameOf(const ReadRequest& request) {
  if (!request.shown.empty()) return request.shown;
  return request.store->Uri(request.member ? request.key + "/" + request.member.path : request.key);
}

}  // namespace sluice::formats
