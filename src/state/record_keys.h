#pragma once
// The names of a node's records and indexes in the lake. Numbers of batches are padded, so that names list in their order.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::state {

std::string RecordsFolder(const std::string& node);           // "_sluice/batches/bronze.orders/"
std::string IndexFolder(const std::string& node);             // "_sluice/index/bronze.orders/"
std::string BatchPrefix(const std::string& node, int64_t n);  // without what follows the number: lists just before its records
std::string OpenKey(const std::string& node, int64_t n, int attempt);
std::string ReadyKey(const std::string& node, int64_t n, int k);
std::string DoneKey(const std::string& node, int64_t n);
std::string PaddedNumber(int64_t n);  // 20 digits

enum class RecordKind { kOpen, kReady, kDone };
struct RecordName {
  int64_t n = 0;
  RecordKind kind = RecordKind::kOpen;
  int part = 0;  // attempt of an open, k of a ready
};
// nullopt for names that are no record's.
std::optional<RecordName> ParseRecordKey(std::string_view key);

}  // namespace sluice::state
