#pragma once
// What happened to the records of a batch, counted. Thread-safe.
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "contract/contract.h"
#include "ingest/check_block.h"
#include "ingest/ingest.h"

namespace sluice::ingest {

class Tally {
 public:
  Tally(const contract::Contract& contract, const std::vector<InputFile>& files);

  // Of one block of file `file`.
  void AddViolations(size_t file, const CheckedBlock& block);
  void AddCounts(size_t file, const Counts& counts);

  Counts total() const;
  std::vector<FileCounts> files() const;
  std::vector<RuleCount> rules() const;  // most rows first
  // Rows that break a rule of a column (or an SQL rule) with on_fail: block.
  int64_t blocking() const;
  // The smallest types that would have held the values refused for their type alone (on_type_change: widen).
  std::map<std::string, contract::DataType> wider_types() const;
  int64_t type_violations() const;

 private:
  struct Stat {
    RuleCount count;
    std::vector<std::pair<std::pair<size_t, int64_t>, Sample>> samples;  // by (file, row), at most three
  };
  void Remember(std::pair<size_t, int64_t> order, const contract::Violation& violation, int64_t line, Stat* stat);
  void Widen(const contract::Violation& violation);

  const contract::Contract& contract_;
  std::set<std::string> blocking_columns_, blocking_rules_;  // those with on_fail: block
  mutable std::mutex mutex_;
  std::vector<FileCounts> files_;
  Counts total_;
  std::map<std::pair<std::string, std::string>, Stat> stats_;
  std::map<std::string, contract::DataType> wider_;
  int64_t blocking_ = 0, type_violations_ = 0;
};

}  // namespace sluice::ingest
