// Data files, written by every way there is and read back by Arrow; their bounds against those of Arrow's own writer.
#include "tables/parquet_file.h"

#include <arrow/api.h>
#include <arrow/compute/api.h>
#include <arrow/io/memory.h>
#include <gtest/gtest.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>
#include <parquet/statistics.h>

#include <cmath>

#include "contract/decode_column.h"
#include "tables/conform.h"
#include "tables/gather.h"
#include "tables/one_dictionary.h"
#include "tables/test_lake.h"

namespace sluice::tables {
namespace {

using BatchPtr = std::shared_ptr<arrow::RecordBatch>;
using ArrayPtr = std::shared_ptr<arrow::Array>;

const char* const kColumns =
    "b: boolean, t: tinyint, s: smallint, i: integer, l: bigint, f: float, d: double, m: decimal(7,2), n: decimal(18,4), h: "
    "decimal(38,10), "
    "k: decimal(20,0), x: string, y: binary, da: date, ts: timestamp, tn: timestamp_ntz, few: string, own: string, same: string, c: "
    "bigint, "
    "st: struct<a: integer, b: struct<c: string, d: double>>, li: list<integer>, ls: list<struct<x: string, y: list<bigint>>>, "
    "mp: map<string, decimal(9,2)>, sl: struct<l: list<struct<m: map<integer, list<string>>, f: float>>, z: boolean>";

// What `Values` draws from: `distinct` values, or all there are for 0; NULLs where `nulls`.
struct Spread {
  uint64_t distinct;
  bool nulls;
};

template <typename Builder, typename Value>
ArrayPtr Values(Builder builder, size_t rows, Spread spread, Random& random, Value value) {
  for (size_t row = 0; row < rows; ++row) {
    const uint64_t drawn = spread.distinct > 0 ? random.Next() % spread.distinct * 0x9E3779B97F4A7C15u : random.Next();
    const bool null = spread.nulls && random.Next() % 3 == 0;
    EXPECT_TRUE((null ? builder.AppendNull() : builder.Append(value(drawn))).ok());
  }
  return builder.Finish().ValueOrDie();
}

double Floating(uint64_t drawn) {
  switch (drawn % 16) {
    case 0:
      return NAN;
    case 1:
      return -0.0;
    case 2:
      return INFINITY;
    default:
      return static_cast<double>(static_cast<int64_t>(drawn)) / 1e9;
  }
}

arrow::Decimal128 Wide(uint64_t drawn) { return {static_cast<int64_t>(drawn % 1000) - 500, drawn}; }

std::string Text(uint64_t drawn) { return std::string(drawn % 40, static_cast<char>('a' + drawn % 26)) + (drawn % 7 == 0 ? "ü" : ""); }

ArrayPtr Coded(size_t rows, Spread spread, Random& random, contract::TextDictionary* dictionary) {
  std::vector<std::string> held(rows);
  std::vector<std::string_view> fields(rows);
  for (size_t row = 0; row < rows; ++row) {
    held[row] = "text " + std::to_string(random.Next() % 60);
    if (!spread.nulls || random.Next() % 4 != 0) fields[row] = held[row];
  }
  const auto decoder = contract::TextDecoder::Make(contract::DataType::Of(contract::TypeKind::kString), {}, "", {});
  std::vector<contract::Violation> violations;
  return contract::DecodeColumn(*decoder, "c", fields, &violations, dictionary).value();
}

// One value for all rows, as a dictionary.
ArrayPtr Constant(const ArrayPtr& value, size_t rows) {
  const ArrayPtr places = arrow::MakeArrayFromScalar(arrow::Int32Scalar(0), static_cast<int64_t>(rows)).ValueOrDie();
  return arrow::DictionaryArray::FromArrays(arrow::dictionary(arrow::int32(), value->type()), places, value).ValueOrDie();
}

class ParquetFileTest : public ::testing::Test {
 protected:
  BatchPtr Batch(size_t rows, Spread spread) {
    Random& r = random_;
    const auto number = [](uint64_t drawn) { return static_cast<int64_t>(drawn); };
    contract::TextDictionary own;
    arrow::StringBuilder file;
    EXPECT_TRUE(file.Append("file " + std::to_string(r.Next() % 3)).ok());
    arrow::ArrayVector columns = {
        Values(arrow::BooleanBuilder(), rows, spread, r, [](uint64_t drawn) { return drawn % 3 == 0; }),
        Values(arrow::Int8Builder(), rows, spread, r, [](uint64_t drawn) { return static_cast<int8_t>(drawn); }),
        Values(arrow::Int16Builder(), rows, spread, r, [](uint64_t drawn) { return static_cast<int16_t>(drawn); }),
        Values(arrow::Int32Builder(), rows, spread, r, [](uint64_t drawn) { return static_cast<int32_t>(drawn); }),
        Values(arrow::Int64Builder(), rows, spread, r, number),
        Values(arrow::FloatBuilder(), rows, spread, r, [](uint64_t drawn) { return static_cast<float>(Floating(drawn)); }),
        Values(arrow::DoubleBuilder(), rows, spread, r, Floating),
        Values(arrow::Decimal128Builder(arrow::decimal128(7, 2)), rows, spread, r,
               [](uint64_t drawn) { return arrow::Decimal128(static_cast<int64_t>(drawn % 19'999'999) - 9'999'999); }),
        Values(arrow::Decimal128Builder(arrow::decimal128(18, 4)), rows, spread, r,
               [](uint64_t drawn) { return arrow::Decimal128(static_cast<int64_t>(drawn) / 10); }),
        Values(arrow::Decimal128Builder(arrow::decimal128(38, 10)), rows, spread, r, Wide),
        Values(arrow::Decimal128Builder(arrow::decimal128(20, 0)), rows, spread, r,
               [](uint64_t drawn) { return arrow::Decimal128(static_cast<int64_t>(drawn)); }),
        Values(arrow::StringBuilder(), rows, spread, r, Text),
        Values(arrow::BinaryBuilder(), rows, spread, r, [](uint64_t drawn) { return std::string(drawn % 5, static_cast<char>(drawn)); }),
        Values(arrow::Date32Builder(), rows, spread, r, [](uint64_t drawn) { return static_cast<int32_t>(drawn % 40'000) - 10'000; }),
        Values(arrow::TimestampBuilder(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"), arrow::default_memory_pool()), rows, spread, r,
               number),
        Values(arrow::TimestampBuilder(arrow::timestamp(arrow::TimeUnit::MICRO), arrow::default_memory_pool()), rows, spread, r, number),
        Coded(rows, spread, r, &growing_),
        Coded(rows, spread, r, &own),
        Constant(file.Finish().ValueOrDie(), rows),
        Constant(Values(arrow::Int64Builder(), 1, {0, false}, r, number), rows),
    };
    while (static_cast<int>(columns.size()) < shape_.arrow_schema->num_fields())
      columns.push_back(Nested(shape_.arrow_schema->field(static_cast<int>(columns.size()))->type(), rows, spread));
    arrow::FieldVector fields;
    for (size_t i = 0; i < columns.size(); ++i)
      fields.push_back(shape_.arrow_schema->field(static_cast<int>(i))->WithType(columns[i]->type()));
    const BatchPtr batch = arrow::RecordBatch::Make(arrow::schema(fields), static_cast<int64_t>(rows), columns);
    return rows > 20 && r.Next() % 2 == 0 ? batch->Slice(static_cast<int64_t>(r.Next() % 10)) : batch;
  }

  // Values of any type, with NULLs and empty lists on every level where the spread has them.
  ArrayPtr Nested(const std::shared_ptr<arrow::DataType>& type, size_t rows, Spread spread, bool may_be_null = true) {
    Random& r = random_;
    const bool nulls = may_be_null && spread.nulls;
    const Spread inner{spread.distinct, nulls};
    std::vector<uint8_t> valid(rows, 1);
    for (size_t row = 0; row < rows && nulls; ++row) valid[row] = r.Next() % 4 != 0;
    const auto bitmap = [&] {
      arrow::TypedBufferBuilder<bool> bits;
      for (const uint8_t bit : valid) EXPECT_TRUE(bits.Append(bit != 0).ok());
      return nulls ? bits.Finish().ValueOrDie() : nullptr;
    };
    std::vector<int32_t> offsets = {0};
    for (size_t row = 0; row < rows; ++row) offsets.push_back(offsets.back() + static_cast<int32_t>(valid[row] != 0 ? r.Next() % 4 : 0));
    const auto elements = static_cast<size_t>(offsets.back());
    const auto length = static_cast<int64_t>(rows);
    switch (type->id()) {
      case arrow::Type::STRUCT: {
        std::vector<std::shared_ptr<arrow::ArrayData>> fields;
        for (const auto& field : type->fields()) fields.push_back(Nested(field->type(), rows, spread)->data());
        return arrow::MakeArray(arrow::ArrayData::Make(type, length, {bitmap()}, fields));
      }
      case arrow::Type::LIST: {
        const auto items = Nested(type->field(0)->type(), elements, spread);
        return arrow::MakeArray(
            arrow::ArrayData::Make(type, length, {bitmap(), arrow::Buffer::FromVector(offsets)}, std::vector{items->data()}));
      }
      case arrow::Type::MAP: {
        const auto& entry = type->field(0)->type();
        const auto keys = Nested(entry->field(0)->type(), elements, spread, false),
                   items = Nested(entry->field(1)->type(), elements, spread);
        const auto entries =
            arrow::ArrayData::Make(entry, static_cast<int64_t>(elements), {nullptr}, std::vector{keys->data(), items->data()});
        return arrow::MakeArray(arrow::ArrayData::Make(type, length, {bitmap(), arrow::Buffer::FromVector(offsets)}, std::vector{entries}));
      }
      case arrow::Type::BOOL:
        return Values(arrow::BooleanBuilder(), rows, inner, r, [](uint64_t drawn) { return drawn % 3 == 0; });
      case arrow::Type::INT32:
        return Values(arrow::Int32Builder(), rows, inner, r, [](uint64_t drawn) { return static_cast<int32_t>(drawn); });
      case arrow::Type::INT64:
        return Values(arrow::Int64Builder(), rows, inner, r, [](uint64_t drawn) { return static_cast<int64_t>(drawn); });
      case arrow::Type::FLOAT:
        return Values(arrow::FloatBuilder(), rows, inner, r, [](uint64_t drawn) { return static_cast<float>(Floating(drawn)); });
      case arrow::Type::DOUBLE:
        return Values(arrow::DoubleBuilder(), rows, inner, r, Floating);
      case arrow::Type::DECIMAL128:
        return Values(arrow::Decimal128Builder(type), rows, inner, r,
                      [](uint64_t drawn) { return arrow::Decimal128(static_cast<int64_t>(drawn % 1'999'999) - 999'999); });
      default:
        return Values(arrow::StringBuilder(), rows, inner, r, Text);
    }
  }

  std::unique_ptr<ParquetFile> Open(FileBuffering buffering = {}, ColumnEncodings known = {}) {
    return ParquetFile::Open(shape_, [this] { return lake_.store().OpenWriter("f.parquet"); }, buffering, std::move(known));
  }

  std::shared_ptr<arrow::io::RandomAccessFile> Bytes() {
    return std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(Must(lake_.store().Get("f.parquet"))));
  }

  // The file has these rows, and its footer the bounds that Arrow's writer would find in them.
  void ExpectRows(const arrow::RecordBatchVector& expected) {
    arrow::RecordBatchVector dense;
    for (const auto& batch : expected) {
      arrow::ArrayVector columns;
      for (const auto& column : batch->columns()) columns.push_back(Must(Dense(column)));
      dense.push_back(arrow::RecordBatch::Make(shape_.arrow_schema, batch->num_rows(), std::move(columns)));
    }
    const auto table = arrow::Table::FromRecordBatches(shape_.arrow_schema, dense).ValueOrDie()->CombineChunks().ValueOrDie();
    const auto reader = parquet::arrow::OpenFile(Bytes(), arrow::default_memory_pool()).ValueOrDie();
    const auto found = reader->ReadTable().ValueOrDie();
    ASSERT_TRUE(found->ValidateFull().ok());
    ASSERT_EQ(found->num_rows(), table->num_rows());
    for (int i = 0; i < table->num_columns(); ++i)
      EXPECT_TRUE(found->column(i)->Equals(*table->column(i), arrow::EqualOptions::Defaults().nans_equal(true).signed_zeros_equal(false)))
          << table->field(i)->ToString();
    auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
    const auto properties = parquet::WriterProperties::Builder().enable_store_decimal_as_integer()->build();
    ASSERT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), sink, 1 << 30, properties).ok());
    const auto theirs =
        parquet::arrow::OpenFile(std::make_shared<arrow::io::BufferReader>(sink->Finish().ValueOrDie()), arrow::default_memory_pool())
            .ValueOrDie();
    const auto& ours = *reader->parquet_reader()->metadata();
    if (ours.num_row_groups() != 1) return;
    for (int i = 0; i < ours.num_columns(); ++i) {
      const auto a = ours.RowGroup(0)->ColumnChunk(i)->statistics(),
                 b = theirs->parquet_reader()->metadata()->RowGroup(0)->ColumnChunk(i)->statistics();
      const std::string name = ours.schema()->Column(i)->path()->ToDotString();
      ASSERT_TRUE(a && b) << name;
      EXPECT_EQ(a->HasMinMax(), b->HasMinMax()) << name;
      EXPECT_EQ(a->EncodeMin(), b->EncodeMin()) << name;
      EXPECT_EQ(a->EncodeMax(), b->EncodeMax()) << name;
      EXPECT_EQ(a->null_count(), b->null_count()) << name;
    }
  }

  TestLake lake_;
  SeededRandom random_{17};
  FileShape shape_ = MakeFileShape(MakeSchema(kColumns).fields, 32);
  contract::TextDictionary growing_;
};

TEST_F(ParquetFileTest, RowsComeBackWhateverWayTheyWent) {
  for (int round = 0; round < 60; ++round) {
    const Spread spread{round % 3 == 0 ? 0 : 1 + random_.Next() % 50, round % 2 == 0};
    std::unique_ptr<SpillFile> scratch;
    const auto file = Open({round % 5 == 0 ? 20'000 : 64LL << 20, round % 2 == 1});
    arrow::RecordBatchVector written;
    for (uint64_t part = 1 + random_.Next() % 5; part > 0; --part) {
      const std::vector<BatchPtr> batches = {Batch(1 + random_.Next() % 400, spread), Batch(1 + random_.Next() % 400, spread)};
      if (random_.Next() % 2 == 0) {
        Must(file->Write(*batches[0]));
        written.push_back(batches[0]);
      } else {
        std::vector<uint32_t> rows[2];
        for (size_t i = 0; i < 2; ++i)
          for (uint32_t row = 0; row < batches[i]->num_rows(); ++row)
            if (random_.Next() % 4 == 0) rows[i].push_back(row);
        std::vector<RowPick> picks;
        for (size_t i = 0; i < 2; ++i)
          if (!rows[i].empty()) picks.push_back({i, rows[i]});
        if (picks.empty()) continue;
        std::optional<Gatherer> gatherer;
        const PickedRows picked(batches, picks, &gatherer);
        Must(file->Write(picked));
        written.push_back(Must(picked.AsBatch()));
      }
      if (random_.Next() % 4 == 0)
        Must(file->Relieve(
            [&]() -> Result<SpillFile*> {
              if (!scratch) scratch = Must(SpillFile::Open(lake_.scratch(), shape_.arrow_schema));
              return scratch.get();
            },
            false));
      if (random_.Next() % 6 == 0) Must(file->EndRowGroup());
    }
    const auto finished = Must(file->Close());
    EXPECT_EQ(finished.size, static_cast<int64_t>(Must(lake_.store().Get("f.parquet")).size()));
    int64_t rows = 0;
    for (const auto& batch : written) rows += batch->num_rows();
    EXPECT_EQ(finished.rows, rows);
    ExpectRows(written);
  }
}

TEST_F(ParquetFileTest, BoundsAreThoseOfArrow) {
  for (int round = 0; round < 30; ++round) {
    const BatchPtr batch = Batch(1 + random_.Next() % 3000, {round % 2 == 0 ? 0u : 5u, round % 3 == 0});
    const auto file = Open();
    Must(file->Write(*batch));
    Must(file->Close());
    ExpectRows({batch});
  }
}

// Pages that wait in scratch keep their dictionary, also where later rows come without one.
TEST_F(ParquetFileTest, SpilledPagesKeepTheirDictionary) {
  std::unique_ptr<SpillFile> scratch = Must(SpillFile::Open(lake_.scratch(), shape_.arrow_schema));
  const auto file = Open();
  arrow::RecordBatchVector written;
  for (int part = 0; part < 4; ++part) {
    written.push_back(Batch(2000, {9, part % 2 == 0}));
    if (part == 3)
      for (int i : {16, 17, 18})
        written[3] = written[3]->SetColumn(i, shape_.arrow_schema->field(i), Must(Dense(written[3]->column(i)))).ValueOrDie();
    Must(file->Write(*written.back()));
    if (part < 3) Must(file->Relieve([&]() -> Result<SpillFile*> { return scratch.get(); }, false));
  }
  Must(file->Close());
  ExpectRows(written);
  const auto reader = parquet::ParquetFileReader::Open(Bytes());
  ASSERT_EQ(reader->metadata()->num_row_groups(), 1);
  for (const int i : {16, 17, 18}) EXPECT_TRUE(reader->metadata()->RowGroup(0)->ColumnChunk(i)->has_dictionary_page());
}

TEST_F(ParquetFileTest, ManyPages) {
  const BatchPtr batch = Batch(300'000, {0, true}), few = Batch(300'000, {9, true});
  const auto file = Open();
  Must(file->Write(*batch));
  Must(file->Write(*few));
  Must(file->Close());
  ExpectRows({batch, few});
}

TEST_F(ParquetFileTest, ValuesThatRepeatHaveADictionary) {
  const BatchPtr few = Batch(20'000, {9, false}), many = Batch(20'000, {0, false});
  const auto has_dictionary = [&](const BatchPtr& batch, ColumnEncodings known = {}) {
    const auto file = Open({}, std::move(known));
    Must(file->Write(*batch));
    Must(file->Close());
    const auto reader = parquet::ParquetFileReader::Open(Bytes());
    std::string names;
    for (int i = 0; i < reader->metadata()->num_columns(); ++i)
      if (reader->metadata()->RowGroup(0)->ColumnChunk(i)->has_dictionary_page())
        names += reader->metadata()->schema()->Column(i)->path()->ToDotString() + " ";
    return names;
  };
  const std::string nested =
      "st.a st.b.c st.b.d li.list.element ls.list.element.x ls.list.element.y.list.element mp.key_value.key mp.key_value.value "
      "sl.l.list.element.m.key_value.key sl.l.list.element.m.key_value.value.list.element sl.l.list.element.f ";
  EXPECT_EQ(has_dictionary(few), "t s i l f d m n h k x y da ts tn few own same c " + nested);
  EXPECT_EQ(
      has_dictionary(many),
      "t x y few own same c st.b.c ls.list.element.x mp.key_value.key sl.l.list.element.m.key_value.value.list.element ");  // these have
                                                                                                                            // few values at
                                                                                                                            // all
  EXPECT_EQ(has_dictionary(few, {{"i", "x", "few"}, {}}), "t s l f d m n h k y da ts tn own same c " + nested);
}

TEST_F(ParquetFileTest, RowsThatComeOneByOne) {
  const BatchPtr batch = Batch(300, {0, false});
  const auto file = Open();
  for (int64_t row = 0; row < batch->num_rows(); ++row) Must(file->Write(*batch->Slice(row, 1)));
  Must(file->Close());
  ExpectRows({batch});
  const auto reader = parquet::ParquetFileReader::Open(Bytes());
  const auto has_dictionary = [&](int column) { return reader->metadata()->RowGroup(0)->ColumnChunk(column)->has_dictionary_page(); };
  EXPECT_FALSE(has_dictionary(shape_.arrow_schema->GetFieldIndex("l")));  // it has as many values as rows
  EXPECT_TRUE(has_dictionary(shape_.arrow_schema->GetFieldIndex("same")));
  EXPECT_TRUE(has_dictionary(shape_.arrow_schema->GetFieldIndex("c")));
}

TEST_F(ParquetFileTest, WithoutRowsAndWithoutValues) {
  Must(Open()->Close());
  ExpectRows({Batch(1, {0, true})->Slice(0, 0)});
  const auto file = Open();
  arrow::ArrayVector nulls;
  for (const auto& field : shape_.arrow_schema->fields()) nulls.push_back(*arrow::MakeArrayOfNull(field->type(), 100));
  const BatchPtr batch = arrow::RecordBatch::Make(shape_.arrow_schema, 100, nulls);
  Must(file->Write(*batch));
  Must(file->Close());
  ExpectRows({batch});
}

TEST_F(ParquetFileTest, ARequiredColumnTakesNoNull) {
  auto fields = MakeSchema("a: bigint").fields;
  fields[0].nullable = false;
  const FileShape shape = MakeFileShape(fields, 32);
  const auto file = ParquetFile::Open(shape, [this] { return lake_.store().OpenWriter("f.parquet"); }, {}, {});
  const auto batch = arrow::RecordBatch::Make(shape.arrow_schema, 1, arrow::ArrayVector{*arrow::MakeArrayOfNull(arrow::int64(), 1)});
  EXPECT_FALSE(file->Write(*batch));
}

TEST_F(ParquetFileTest, AFileThatIsNotClosedLeavesNothing) {
  {
    const auto file = Open();
    Must(file->Write(*Batch(100, {0, true})));
    Must(file->EndRowGroup());
  }
  EXPECT_FALSE(lake_.store().Get("f.parquet"));
}

}  // namespace
}  // namespace sluice::tables
