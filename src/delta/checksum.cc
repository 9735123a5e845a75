#include "delta/checksum.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace sluice::delta {
namespace {

using nlohmann::json;

class Comparison {
 public:
  Comparison(const json& checksum, const Snapshot& snapshot) : checksum_(checksum), snapshot_(snapshot) {}

  Result<std::vector<std::string>> Run() {
    int64_t bytes = 0, vectors = 0, deleted = 0;
    for (const Add& add : snapshot_.files) {
      bytes += add.size;
      vectors += add.deletion_vector ? 1 : 0;
      deleted += add.deletion_vector ? add.deletion_vector->cardinality : 0;
    }
    Number("tableSizeBytes", bytes);
    Number("numFiles", static_cast<int64_t>(snapshot_.files.size()));
    Number("numMetadata", 1);
    Number("numProtocol", 1);
    Number("numDeletionVectorsOpt", vectors);
    Number("numDeletedRecordsOpt", deleted);
    if (IsEnabled(snapshot_.metadata, "delta.enableInCommitTimestamps")) Number("inCommitTimestampOpt", snapshot_.timestamp);
    SLUICE_CHECK(Body("metadata", "metaData", snapshot_.metadata));
    SLUICE_CHECK(Body("protocol", "protocol", snapshot_.protocol));
    SLUICE_CHECK(Transactions());
    SLUICE_CHECK(Domains());
    return std::move(differences_);
  }

 private:
  const json* Member(const char* name) const {
    const auto found = checksum_.find(name);
    return found == checksum_.end() || found->is_null() ? nullptr : &*found;
  }

  void Number(const char* name, int64_t ours) {
    const json* theirs = Member(name);
    if (theirs == nullptr || (theirs->is_number_integer() && *theirs == ours)) return;
    differences_.push_back(fmt::format("{} is {}, the log gives {}", name, theirs->dump(), ours));
  }

  // An action of the checksum as one of the log.
  template <typename T>
  static Result<T> ActionOf(const char* kind, const json& body) {
    SLUICE_TRY(auto action, ParseAction(json({{kind, body}}).dump()));
    if (!action || !std::holds_alternative<T>(*action)) return Fail(BadLog(fmt::format("the checksum's {} cannot be read", kind)));
    return std::get<T>(std::move(*action));
  }

  template <typename T>
  Status Body(const char* name, const char* kind, const T& ours) {
    const json* body = Member(name);
    if (body == nullptr) return Ok();
    SLUICE_TRY(const T theirs, ActionOf<T>(kind, *body));
    if (!(theirs == ours)) differences_.push_back(fmt::format("its {} is another than the log's", name));
    return Ok();
  }

  Status Transactions() {
    const json* list = Member("setTransactions");
    if (list == nullptr) return Ok();
    std::map<std::string, int64_t> theirs, ours;
    for (const json& body : *list) {
      SLUICE_TRY(const Txn txn, ActionOf<Txn>("txn", body));
      theirs[txn.app_id] = txn.version;
    }
    for (const auto& [app, txn] : snapshot_.txns) ours[app] = txn.version;
    if (theirs != ours)
      differences_.push_back(fmt::format("its setTransactions ({}) are others than the log's ({})", theirs.size(), ours.size()));
    return Ok();
  }

  Status Domains() {
    const json* list = Member("domainMetadata");
    if (list == nullptr) return Ok();
    std::map<std::string, DomainMetadata> theirs;
    for (const json& body : *list) {
      SLUICE_TRY(DomainMetadata domain, ActionOf<DomainMetadata>("domainMetadata", body));
      if (!domain.removed) theirs[domain.domain] = std::move(domain);
    }
    if (theirs != snapshot_.domains) differences_.push_back("its domainMetadata is another than the log's");
    return Ok();
  }

  const json& checksum_;
  const Snapshot& snapshot_;
  std::vector<std::string> differences_;
};

}  // namespace

Result<std::vector<std::string>> CompareChecksum(std::string_view text, const Snapshot& snapshot) {
  const json checksum = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!checksum.is_object()) return Fail(BadLog("the checksum file is no JSON object"));
  return Comparison(checksum, snapshot).Run();
}

}  // namespace sluice::delta
