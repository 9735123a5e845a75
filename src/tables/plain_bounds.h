#pragma once
#include <string>
#include <string_view>

#include "tables/leaf_type.h"

namespace parquet {
class EncodedStatistics;
}

namespace sluice::tables {

// Least and greatest of a column's values, as its footer says them.
class PlainBounds {
 public:
  // Values in Parquet's plain encoding.
  void Observe(const LeafType& type, std::string_view plain);
  // Into a chunk's statistics, and none from now on. Left out where they are long, or no value has an order.
  void Take(parquet::EncodedStatistics* statistics);
  // Was a float not a number, ever?
  bool has_nan() const { return has_nan_; }

 private:
  std::string min_, max_;  // plain; texts without their length
  bool observed_ = false, has_nan_ = false;
};

}  // namespace sluice::tables
