#pragma once
// For tests of the readers: a contract, a file in memory, and what reading it gives.
#include <arrow/api.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "contract/type.h"
#include "core/clock.h"
#include "formats/reader.h"
#include "store/object_store.h"

namespace sluice::formats {

struct Rows {
  std::vector<std::string> rows;  // columns as Arrow prints them, joined by " | "
  std::vector<contract::Violation> violations;
  std::vector<RecordPlace> places;
  std::vector<std::string> raw;
  std::string error;  // code
};

class ReaderTest : public ::testing::Test {
 protected:
  contract::ColumnContract& Column(const std::string& name, const std::string& type) {
    contract::ColumnContract column;
    column.name = name;
    column.type = *contract::ParseType(type);
    contract_.columns.push_back(column);
    return contract_.columns.back();
  }

  // The file "f".
  ReadRequest Request() {
    ReadRequest request;
    request.store = store_.get();
    request.key = "f";
    request.contract = &contract_;
    request.extra = extra_;
    request.block_bytes = block_bytes_;
    request.max_record_bytes = max_record_bytes_;
    return request;
  }

  // All that the reader gives, up to its first error.
  static Rows ReadAll(Result<std::unique_ptr<RecordReader>> reader) {
    Rows out;
    if (!reader) out.error = reader.error().code;
    while (reader) {
      auto block = (*reader)->Next();
      if (!block) out.error = block.error().code;
      if (!block || *block == nullptr) break;
      AddBlock(**block, &out);
    }
    return out;
  }

  FixedClock clock_{Instant{1}};
  std::unique_ptr<store::ObjectStore> store_ = store::NewMemoryStore(clock_);
  contract::Contract contract_;
  std::vector<contract::Field> extra_;
  int64_t block_bytes_ = 1 << 20, max_record_bytes_ = 1 << 20;

 private:
  static void AddBlock(RawBlock& block, Rows* out) {
    auto batch = block.Decode();
    ASSERT_TRUE(batch) << batch.error().ToString();
    ASSERT_TRUE(batch->rows->ValidateFull().ok()) << batch->rows->ValidateFull().ToString();
    const auto before = static_cast<int64_t>(out->rows.size());
    EXPECT_EQ(batch->first_row, before + 1);
    for (int64_t row = 0; row < batch->rows->num_rows(); ++row) {
      std::string text;
      for (int c = 0; c < batch->rows->num_columns(); ++c) text += (c ? " | " : "") + (*batch->rows->column(c)->GetScalar(row))->ToString();
      out->rows.push_back(text);
      out->places.push_back(batch->place(row));
      EXPECT_EQ(out->places.back().row, before + row + 1);
      out->raw.push_back(batch->raw(row));
    }
    for (contract::Violation& violation : batch->violations) {
      violation.row += before;
      out->violations.push_back(violation);
    }
  }
};

}  // namespace sluice::formats
