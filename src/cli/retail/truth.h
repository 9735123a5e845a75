#pragma once
// What was planted and what must therefore be found: rendered as truth.json.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cli/retail/retail.h"

namespace sluice::cli::retail {

struct Planted {
  std::string file;    // relative to the landing folder
  int64_t row, line;   // 1-based; row excludes the header
  std::string column;  // empty: of the whole record
  std::string rule;
};

// records = bronze + quarantined + deduplicated, counted over all batches that the truth covers.
struct SourceTruth {
  std::string name;
  int64_t records = 0, bronze = 0, deduplicated = 0;
  std::vector<Planted> quarantined;
  std::vector<Planted> warned;   // kept in bronze
  int64_t bronze_in_table = -1;  // where the table holds only the last snapshot; else equal to `bronze`
};

class Truth {
 public:
  SourceTruth& Source(const std::string& name);
  // Dots nest: "sales_usd_by_month.2026-01". Money is given as text.
  void Fact(const std::string& path, int64_t value) { counts_[path] = value; }
  void Fact(const std::string& path, std::string value) { texts_[path] = std::move(value); }

  const std::map<std::string, SourceTruth>& sources() const { return sources_; }
  std::string Render(const RetailOptions& options) const;

 private:
  std::map<std::string, SourceTruth> sources_;
  std::map<std::string, int64_t> counts_;
  std::map<std::string, std::string> texts_;
};

}  // namespace sluice::cli::retail
