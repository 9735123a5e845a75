// Gathered and scattered rows, against Arrow's own Take.
#include "tables/gather.h"

#include <arrow/api.h>
#include <arrow/compute/api_vector.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "contract/decode_column.h"
#include "core/clock.h"
#include "tables/conform.h"
#include "tables/one_dictionary.h"
#include "tables/scatter.h"

namespace sluice::tables {
namespace {

using ArrayPtr = std::shared_ptr<arrow::Array>;
using BatchPtr = std::shared_ptr<arrow::RecordBatch>;

template <typename Builder, typename Value>
ArrayPtr Made(Builder builder, size_t rows, Random& random, Value value) {
  for (size_t row = 0; row < rows; ++row) {
    if (random.Next() % 4 == 0)
      EXPECT_TRUE(builder.AppendNull().ok());
    else
      EXPECT_TRUE(builder.Append(value()).ok());
  }
  return builder.Finish().ValueOrDie();
}

std::string RandomText(Random& random) { return std::string(random.Next() % 40, static_cast<char>('a' + random.Next() % 26)); }

ArrayPtr Lists(size_t rows, Random& random) {
  auto values = std::make_shared<arrow::Int32Builder>();
  arrow::ListBuilder lists(arrow::default_memory_pool(), values);
  for (size_t row = 0; row < rows; ++row) {
    if (random.Next() % 4 == 0) {
      EXPECT_TRUE(lists.AppendNull().ok());
      continue;
    }
    EXPECT_TRUE(lists.Append().ok());
    for (uint64_t i = random.Next() % 4; i > 0; --i) EXPECT_TRUE(values->Append(static_cast<int32_t>(random.Next())).ok());
  }
  return lists.Finish().ValueOrDie();
}

ArrayPtr Decoded(size_t rows, Random& random, contract::TextDictionary* dictionary, int texts) {
  std::vector<std::string> held(rows);
  std::vector<std::string_view> fields(rows);
  for (size_t row = 0; row < rows; ++row) {
    held[row] = "text " + std::to_string(random.Next() % static_cast<uint64_t>(texts));
    if (random.Next() % 4 != 0) fields[row] = held[row];
  }
  const auto decoder = contract::TextDecoder::Make(contract::DataType::Of(contract::TypeKind::kString), {}, "", {});
  std::vector<contract::Violation> violations;
  return contract::DecodeColumn(*decoder, "c", fields, &violations, dictionary).value();
}

// The same values at a multiple of 8 bytes that is none of 16, as those from a spill may lie.
ArrayPtr AtEight(const ArrayPtr& array) {
  const auto& values = array->data()->buffers[1];
  std::shared_ptr<arrow::Buffer> moved = arrow::AllocateBuffer(values->size() + 8).ValueOrDie();
  std::copy_n(values->data(), values->size(), moved->mutable_data() + 8);
  auto data = array->data()->Copy();
  data->buffers[1] = arrow::SliceBuffer(moved, 8);
  return arrow::MakeArray(data);
}

// `parts` batches: every layout that rows may have, dictionaries that grow, that are another in each batch, and that end in dense texts.
std::vector<BatchPtr> RandomBatches(size_t parts, Random& random) {
  contract::TextDictionary growing, ending;
  std::vector<BatchPtr> batches;
  for (size_t part = 0; part < parts; ++part) {
    const size_t rows = 1 + random.Next() % 300;
    contract::TextDictionary own;
    arrow::ArrayVector columns = {
        Made(arrow::Int8Builder(), rows, random, [&] { return static_cast<int8_t>(random.Next()); }),
        Made(arrow::Int16Builder(), rows, random, [&] { return static_cast<int16_t>(random.Next()); }),
        Made(arrow::Date32Builder(), rows, random, [&] { return static_cast<int32_t>(random.Next()); }),
        Made(arrow::DoubleBuilder(), rows, random, [&] { return static_cast<double>(random.Next()); }),
        AtEight(Made(arrow::Decimal128Builder(arrow::decimal128(38, 2)), rows, random,
                     [&] { return arrow::Decimal128(static_cast<int64_t>(random.Next())); })),
        Made(arrow::BooleanBuilder(), rows, random, [&] { return random.Next() % 2 == 0; }),
        Made(arrow::StringBuilder(), rows, random, [&] { return RandomText(random); }),
        Made(arrow::BinaryBuilder(), rows, random, [&] { return RandomText(random); }),
        Made(arrow::FixedSizeBinaryBuilder(arrow::fixed_size_binary(3)), rows, random, [&] { return std::string("xyz"); }),
        Lists(rows, random),
        Decoded(rows, random, &growing, 20 * static_cast<int>(part + 1)),
        Decoded(rows, random, &own, 50),
        Decoded(rows, random, part == 0 ? &ending : nullptr, 50),
        *arrow::MakeArrayOfNull(arrow::int32(), static_cast<int64_t>(rows)),
    };
    arrow::FieldVector fields;
    for (size_t i = 0; i < columns.size(); ++i) fields.push_back(arrow::field(std::to_string(i), columns[i]->type()));
    batches.push_back(arrow::RecordBatch::Make(arrow::schema(fields), static_cast<int64_t>(rows), columns));
    if (rows > 20 && random.Next() % 2 == 0) batches.back() = batches.back()->Slice(static_cast<int64_t>(random.Next() % 10));
  }
  return batches;
}

BatchPtr Must(Result<BatchPtr> batch) {
  EXPECT_TRUE(batch) << batch.error().ToString();
  return *std::move(batch);
}

ArrayPtr TakenByArrow(const arrow::Array& column, const std::vector<uint32_t>& rows) {
  arrow::UInt32Builder places;
  EXPECT_TRUE(places.AppendValues(rows).ok());
  return arrow::compute::Take(column, **places.Finish()).ValueOrDie();
}

void ExpectGathered(const std::vector<BatchPtr>& batches, const std::vector<std::vector<uint32_t>>& rows, const arrow::RecordBatch& found) {
  for (int column = 0; column < found.num_columns(); ++column) {
    arrow::ArrayVector expected;
    for (size_t i = 0; i < batches.size(); ++i)
      if (!rows[i].empty()) expected.push_back(TakenByArrow(*Dense(batches[i]->column(column)).value(), rows[i]));
    const ArrayPtr whole = *arrow::Concatenate(expected);
    const ArrayPtr dense = Dense(found.column(column)).value();
    EXPECT_TRUE(dense->ValidateFull().ok()) << dense->ValidateFull().ToString();
    EXPECT_TRUE(dense->Equals(*whole)) << "column " << column << ": " << dense->ToString() << " where " << whole->ToString();
    EXPECT_EQ(dense->null_count(), whole->null_count());
  }
}

TEST(Gatherer, TakesTheRowsOfEveryLayout) {
  SeededRandom random(3);
  for (int round = 0; round < 60; ++round) {
    const auto batches = RandomBatches(1 + random.Next() % 4, random);
    std::vector<std::vector<uint32_t>> rows(batches.size());
    std::vector<RowPick> picks;
    for (size_t i = 0; i < batches.size(); ++i) {
      const size_t from = i == 0 ? 1 : 0;  // at least one row
      for (uint64_t n = from + random.Next() % 200; n > 0; --n)
        rows[i].push_back(static_cast<uint32_t>(random.Next() % static_cast<uint64_t>(batches[i]->num_rows())));
      if (!rows[i].empty()) picks.push_back({i, rows[i]});
    }
    ExpectGathered(batches, rows, *Must(Gatherer::Make(batches).value().Gather(picks)));
  }
}

TEST(Gatherer, OneDictionaryIsKept) {
  SeededRandom random(5);
  contract::TextDictionary dictionary;
  const ArrayPtr few = Decoded(10, random, &dictionary, 3), more = Decoded(500, random, &dictionary, 100);
  const auto batch = [](const ArrayPtr& column) {
    return arrow::RecordBatch::Make(arrow::schema({arrow::field("c", column->type())}), column->length(), {column});
  };
  const BatchPtr a = batch(few), b = batch(more);
  const std::vector<uint32_t> rows = {0, 1, 2};
  const std::vector<RowPick> picks = {{0, rows}, {1, rows}};
  const BatchPtr gathered = Must(Gatherer::Make({a, b}).value().Gather(picks));
  ASSERT_EQ(gathered->column(0)->type_id(), arrow::Type::DICTIONARY);
  EXPECT_EQ(gathered->column(0)->data()->dictionary->buffers, more->data()->dictionary->buffers);  // nothing was joined
}

TEST(ConcatenateBatches, TakesWhatGatherTakes) {
  SeededRandom random(9);
  for (int round = 0; round < 30; ++round) {
    const auto batches = RandomBatches(2 + random.Next() % 3, random);
    std::vector<std::vector<uint32_t>> all(batches.size());
    for (size_t i = 0; i < batches.size(); ++i)
      for (int64_t row = 0; row < batches[i]->num_rows(); ++row) all[i].push_back(static_cast<uint32_t>(row));
    ExpectGathered(batches, all, *Must(ConcatenateBatches(batches)));
  }
}

TEST(Scatter, EachRowThatStaysGoesToItsPartitionInOrder) {
  SeededRandom random(13);
  for (int round = 0; round < 40; ++round) {
    const auto partitions = static_cast<uint32_t>(1 + random.Next() % 6);
    std::vector<ScatterPart> parts;
    std::map<uint32_t, std::vector<int64_t>> expected, found;
    int64_t next = 0;
    for (uint64_t part = 1 + random.Next() % 4; part > 0; --part) {
      arrow::Int64Builder ids;
      ScatterPart made;
      const bool drops = random.Next() % 2 == 0;
      for (uint64_t row = random.Next() % 100; row > 0; --row) {
        EXPECT_TRUE(ids.Append(next).ok());
        made.partition_of.push_back(static_cast<uint32_t>(random.Next() % partitions));
        if (drops) made.dropped.push_back(random.Next() % 3 == 0);
        if (!drops || made.dropped.back() == 0) expected[made.partition_of.back()].push_back(next);
        ++next;
      }
      const ArrayPtr column = *ids.Finish();
      made.data = arrow::RecordBatch::Make(arrow::schema({arrow::field("id", arrow::int64())}), column->length(), {column});
      parts.push_back(std::move(made));
    }
    uint32_t last = 0;
    const auto done = Scatter(parts, partitions, [&](uint32_t partition, const PickedRows& picked) -> Status {
      const BatchPtr gathered = Must(picked.AsBatch());
      const arrow::RecordBatch& rows = *gathered;
      EXPECT_GE(partition, last);
      last = partition;
      const auto& ids = static_cast<const arrow::Int64Array&>(*rows.column(0));
      for (int64_t row = 0; row < ids.length(); ++row) found[partition].push_back(ids.Value(row));
      return Ok();
    });
    ASSERT_TRUE(done);
    EXPECT_EQ(found, expected);
  }
}

}  // namespace
}  // namespace sluice::tables
