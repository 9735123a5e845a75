#include "sources/discover.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/text.h"
#include "sources/files/files_source.h"
#include "sources/group_files.h"
#include "sources/propose.h"

namespace sluice::sources {
namespace {

namespace fs = std::filesystem;

class DiscoverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() / ("sluice-discover-" + std::string(test->name()) + "-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return (folder_ / name).string();
  }

  // Orders with the dirt of real ones: 200 rows, among them a date that is none and a status with a slip.
  static std::string Orders(int from) {
    std::string text = "Order ID,customer_id,email,order_date,total_amount,status,updated_at,note\n";
    for (int i = from; i < from + 200; ++i) {
      const std::string status = i == from + 7 ? "complted" : i % 3 == 0 ? "completed" : i % 3 == 1 ? "pending" : "cancelled";
      const std::string date = i == from + 5 ? "31.02.2024" : "2024-01-" + std::to_string(10 + i % 20);
      char id[16];
      std::snprintf(id, sizeof(id), "ORD%06d", i);
      text += std::string(id) + "," + std::to_string(i % 50) + ",u" + std::to_string(i) + "@example.com," + date + "," + std::to_string(i) +
              ".50," + status + ",2024-02-01T10:00:00Z," + (i % 4 == 0 ? "" : "said \"\"x\"\"") + "\n";
    }
    return text;
  }

  const ColumnProfile* Column(const TableProfile& profile, const std::string& field) {
    for (const ColumnProfile& column : profile.columns)
      if (column.field == field) return &column;
    return nullptr;
  }

  static std::string TypeOf(const ColumnProfile* column) { return column == nullptr ? "none" : column->inferred.type.ToString(); }

  fs::path folder_;
};

TEST_F(DiscoverTest, InspectsACsvFile) {
  auto got = InspectFile(Write("orders.csv", Orders(1)));
  ASSERT_TRUE(got) << got.error().ToString();
  EXPECT_EQ(got->format, "csv");
  EXPECT_EQ(got->profile.records, 200);
  EXPECT_TRUE(got->profile.whole);
  EXPECT_EQ(TypeOf(Column(got->profile, "Order ID")), "string");
  EXPECT_EQ(Column(got->profile, "Order ID")->pattern, "ORD[0-9]{6}");
  EXPECT_TRUE(Column(got->profile, "Order ID")->unique());
  EXPECT_EQ(TypeOf(Column(got->profile, "customer_id")), "bigint");
  EXPECT_EQ(Column(got->profile, "email")->pii, "email");
  EXPECT_EQ(TypeOf(Column(got->profile, "order_date")), "date");
  EXPECT_EQ(Column(got->profile, "order_date")->misfits, 1);
  EXPECT_EQ(TypeOf(Column(got->profile, "total_amount")), "decimal(12,2)");
  EXPECT_EQ(TypeOf(Column(got->profile, "updated_at")), "timestamp");
  ASSERT_EQ(got->profile.misfits.size(), 1u);
  EXPECT_EQ(got->profile.misfits[0].value, "31.02.2024");
  EXPECT_EQ(got->profile.misfits[0].place.line, 7);
}

TEST_F(DiscoverTest, ProposesStylesOfNumbersOnlyWhereTheyAreSure) {
  const auto one = [&](const std::string& values) {
    std::string text = "id;v\n";
    int i = 0;
    for (const std::string& value : Split(values, '|')) text += std::to_string(++i) + ";" + value + "\n";
    auto got = InspectFile(Write("n.csv", text), {});
    EXPECT_TRUE(got) << got.error().ToString();
    const InferredType type = Column(got->profile, "v")->inferred;
    return type.type.ToString() + " " + type.numbers.decimal.value_or("-") + type.numbers.thousands.value_or("-") +
           (type.doubt.empty() ? "" : " doubt");
  };
  EXPECT_EQ(one("1|2|3"), "bigint --");
  EXPECT_EQ(one("1.5|2"), "decimal(12,1) --");
  EXPECT_EQ(one("1,5|2"), "decimal(12,1) ,-");
  EXPECT_EQ(one("1.234,5|2"), "decimal(12,1) ,.");
  EXPECT_EQ(one("1.234.567|2"), "bigint ,.");
  EXPECT_EQ(one("1,234,567|2"), "bigint -,");
  EXPECT_EQ(one("1,234.5|2"), "decimal(12,1) -,");
  EXPECT_EQ(one("1 234,5|2"), "decimal(12,1) , ");
  EXPECT_EQ(one("1'234.5|2"), "decimal(12,1) -'");
  EXPECT_EQ(one("1,234|2,345"), "string -- doubt");
  EXPECT_EQ(one("1,234|2,34"), "decimal(12,3) ,-");
  EXPECT_EQ(one("1.234|2.345"), "decimal(12,3) -- doubt");
  EXPECT_EQ(one("1.234|0.345"), "decimal(12,3) --");
  EXPECT_EQ(one("1.234|2.34"), "decimal(12,3) --");
  EXPECT_EQ(one("007,5|1,5"), "string --");
  EXPECT_EQ(one("1,5|2.5"), "string --");
  EXPECT_EQ(one("1,5 EUR|2,5 EUR"), "string --");
  EXPECT_EQ(one("20240131|20231201"), "date -- doubt");
  EXPECT_EQ(one("20240131|20231301"), "bigint --");
  EXPECT_EQ(one("18240131|20231201"), "bigint --");
}

TEST_F(DiscoverTest, DoubtsAStyleOrAnOrderThatFewValuesTell) {
  const auto one = [&](const std::string& often, const std::string& rare, int rare_count) {
    std::string text = "id;v\n";
    for (int i = 0; i < 100; ++i) text += std::to_string(i) + ";" + (i < rare_count ? rare : often) + "\n";
    InspectOptions options;
    options.read.csv.delimiter = ";";
    auto got = InspectFile(Write("n.csv", text), options);
    EXPECT_TRUE(got) << got.error().ToString();
    const InferredType type = Column(got->profile, "v")->inferred;
    EXPECT_EQ(type.unsure, !type.doubt.empty());
    return type.doubt;
  };
  EXPECT_EQ(one("1,234", "1,5", 1), "CHECK: decimal: \",\" is what only 1 of 100 values tell");
  EXPECT_EQ(one("1,234", "1,234.5", 4), "CHECK: decimal: \".\" is what only 4 of 100 values tell");
  EXPECT_EQ(one("1,234", "1,5", 10), "");
  EXPECT_EQ(one("17", "1,5", 1), "");
  EXPECT_EQ(one("1.234", "1.5", 2), "CHECK: if 1.234 is a thousand and more here: type bigint, decimal: \",\", thousands: \".\"");
  EXPECT_EQ(one("1.234", "1.5", 10), "");
  EXPECT_EQ(one("01/02/2024", "13/02/2024", 1), "CHECK: day and month could be the other way round: only 1 of 100 values tell");
  EXPECT_EQ(one("01/02/2024", "02/13/2024", 4), "CHECK: day and month could be the other way round: only 4 of 100 values tell");
  EXPECT_EQ(one("01/02/2024", "13/02/2024", 10), "");
}

TEST_F(DiscoverTest, NeverProposesDayAndMonthBothWays) {
  std::string text = "id,d\n";
  for (int i = 1; i <= 40; ++i) text += std::to_string(i) + "," + (i % 20 == 0 ? "25/12/2024" : "12/25/2024") + "\n";
  auto got = InspectFile(Write("d.csv", text), {});
  ASSERT_TRUE(got);
  EXPECT_EQ(Column(got->profile, "d")->inferred.formats, std::vector<std::string>{"%m/%d/%Y"});
  EXPECT_EQ(Column(got->profile, "d")->misfits, 2);
}

TEST_F(DiscoverTest, NumbersTheColumnsOfAFileWithoutHeader) {
  auto got = InspectFile(Write("rates.csv", "2024-01-02,EUR,1.10\n2024-01-03,USD,1.20\n"));
  ASSERT_TRUE(got) << got.error().ToString();
  EXPECT_FALSE(got->files.front().csv.header);
  EXPECT_EQ(got->profile.records, 2);
  EXPECT_EQ(TypeOf(Column(got->profile, "column_1")), "date");
  EXPECT_EQ(TypeOf(Column(got->profile, "column_3")), "decimal(12,2)");
}

TEST_F(DiscoverTest, PinsOnlyWhatAllFilesOfASourceShare) {
  Write("sales-2026-01.csv", "id;name;amount\n1;Ann;1,50\n2;Bob;2,75\n");
  Write("sales-2026-02.csv", "id,name,amount\n1,Ann,1.50\n");
  Write("stock-2026-01.csv", "");
  Write("stock-2026-02.csv", "id;left\n1;5\n2;6\n");
  auto got = ProposeProject({folder_.string(), "", "p"});
  ASSERT_TRUE(got) << got.error().ToString();
  EXPECT_EQ(got->files.at("sources/sales.yml").find("delimiter"), std::string::npos);
  EXPECT_NE(got->files.at("sources/stock.yml").find("delimiter: \";\""), std::string::npos);
}

TEST_F(DiscoverTest, KeepsAFileNameInItsComment) {
  Write("new\nline.csv", "id,v\n1,2\n3,4\n");
  auto got = ProposeProject({folder_.string(), "", "p"});
  ASSERT_TRUE(got) << got.error().ToString();
  const std::string& yaml = got->files.at("sources/new_line.yml");
  EXPECT_TRUE(yaml.starts_with("# bronze.new_line: every record of new line.csv, as it came.\n# Proposed")) << yaml;
  EXPECT_NE(yaml.find("files: \"new\\nline.csv\""), std::string::npos) << yaml;
}

TEST(GroupFiles, NoGlobTakesTheFilesOfAnotherGroup) {
  const Grouping got = GroupFiles({"sales-2026-01.csv", "sales-2026-02.csv", "sales-2026-returns.csv", "1.csv", "2_b.csv"});
  std::map<std::string, std::string> globs;
  for (const FileGroup& group : got.groups) globs[group.name] = group.glob;
  EXPECT_EQ(globs.at("sales"), "sales-[0-9][0-9][0-9][0-9]-[0-9][0-9].csv");
  EXPECT_EQ(globs.at("sales_returns"), "sales-[0-9]*-returns.csv");
  EXPECT_EQ(globs.at("data"), "[0-9].csv");
}

TEST_F(DiscoverTest, WritesAContractThatSaysWhatWasSeen) {
  const std::string yaml = InspectFile(Write("orders.csv", Orders(1)))->contract_yaml;
  for (const char* line : {"{ name: order_id, from: Order ID, type: string, not_null: true, pattern: \"ORD[0-9]{6}\" }",
                           "{ name: email, type: string, not_null: true, pii: email }",
                           "{ name: total_amount, type: \"decimal(12,2)\", not_null: true, min: 0 }",
                           "{ name: status, type: string, not_null: true, values: [cancelled, completed, pending] }",
                           "# 1 row has another value", "# 1 value does not fit", "# 25% empty"})
    EXPECT_NE(yaml.find(line), std::string::npos) << line << "\n" << yaml;
}

TEST_F(DiscoverTest, InspectsNestedJson) {
  auto got = InspectFile(Write(
      "events.ndjson",
      "{\"id\":1,\"at\":\"2024-01-01T00:00:00Z\",\"user\":{\"name\":\"a\",\"tags\":[\"x\"]},\"items\":[{\"sku\":\"a\",\"price\":1.50}]}\n"
      "{\"id\":2,\"at\":\"2024-01-02T00:00:00Z\",\"user\":{\"name\":\"b\",\"age\":7},\"items\":[],\"any\":{}}\nbroken\n"));
  ASSERT_TRUE(got) << got.error().ToString();
  EXPECT_EQ(got->profile.records, 3);
  EXPECT_EQ(got->profile.unreadable, 1);
  EXPECT_EQ(TypeOf(Column(got->profile, "id")), "bigint");
  EXPECT_EQ(TypeOf(Column(got->profile, "at")), "timestamp");
  EXPECT_EQ(TypeOf(Column(got->profile, "user")), "struct<name: string, tags: list<string>, age: bigint>");
  EXPECT_EQ(TypeOf(Column(got->profile, "items")), "list<struct<sku: string, price: decimal(12,2)>>");
  EXPECT_EQ(TypeOf(Column(got->profile, "any")), "string");
}

TEST_F(DiscoverTest, FindsTimeFormatsAndSaysWhatIsUnsure) {
  std::string text = "id,us,eu,unsure,mixed,local\n";
  for (int i = 1; i <= 60; ++i)
    text += std::to_string(i) + ",12/" + std::to_string(13 + i % 10) + "/2024 10:03," + std::to_string(13 + i % 10) +
            ".12.2024,01/02/2024," + (i % 2 ? "2024-05-17" : "17.05.2024") + ",2024-01-01 10:00:00\n";
  auto got = InspectFile(Write("t.csv", text));
  ASSERT_TRUE(got);
  const auto formats = [&](const std::string& field) { return Column(got->profile, field)->inferred.formats; };
  EXPECT_EQ(formats("us"), (std::vector<std::string>{"%m/%d/%Y %H:%M"}));
  EXPECT_EQ(formats("eu"), (std::vector<std::string>{"%d.%m.%Y"}));
  EXPECT_EQ(formats("mixed"), (std::vector<std::string>{"%Y-%m-%d", "%d.%m.%Y"}));
  EXPECT_TRUE(Column(got->profile, "unsure")->inferred.unsure);
  EXPECT_FALSE(Column(got->profile, "us")->inferred.unsure);
  EXPECT_TRUE(Column(got->profile, "local")->inferred.without_zone);
  EXPECT_NE(got->contract_yaml.find("CHECK: day and month could be the other way round"), std::string::npos);
}

TEST_F(DiscoverTest, CodesWithLeadingZerosAreText) {
  std::string text = "id,zip,code\n";
  for (int i = 1; i <= 100; ++i) text += std::to_string(i) + "," + (i == 50 ? "01234" : "54321") + "," + (i % 2 ? "NA" : "DE") + "\n";
  auto got = InspectFile(Write("z.csv", text));
  ASSERT_TRUE(got);
  EXPECT_EQ(TypeOf(Column(got->profile, "zip")), "string");
  EXPECT_EQ(Column(got->profile, "code")->nulls, 0);
  EXPECT_EQ(Column(got->profile, "code")->values, 100);
}

TEST_F(DiscoverTest, WordsForNothingBecomeNullTokens) {
  auto got = InspectFile(Write("n.csv", "id,amount\n1,2.5\n2,N/A\n3,7\n4,-\n"));
  ASSERT_TRUE(got);
  EXPECT_EQ(TypeOf(Column(got->profile, "amount")), "decimal(12,1)");
  EXPECT_NE(got->contract_yaml.find("null_tokens: [\"\", \"-\", N/A]"), std::string::npos) << got->contract_yaml;
}

TEST_F(DiscoverTest, SaysWhatCannotBeInspected) {
  EXPECT_EQ(InspectFile((folder_ / "none.csv").string()).error().code, "no-such-file");
  EXPECT_EQ(InspectFile(Write("a.doc", "x")).error().code, "unknown-format");
  EXPECT_EQ(InspectFile(Write("a.xlsx", "x")).error().code, "corrupt-file");
  EXPECT_EQ(InspectFile(Write("a.csv", std::string("i\0d\0\n\0001\0\n\0", 10))).error().code, "unsure-encoding");
}

TEST_F(DiscoverTest, ProposesAProject) {
  Write("orders/orders_2024-01-01.csv", Orders(1));
  Write("orders/orders_2024-01-02.csv", Orders(201));
  Write("events.ndjson", "{\"kind\":\"a\"}\n{\"kind\":\"b\"}\n{\"kind\":\"a\"}\n");
  Write("README.md", "hello");
  Write("empty.csv", "");
  auto got = ProposeProject({folder_.string(), "Retail Shop", "./landing"});
  ASSERT_TRUE(got) << got.error().ToString();
  std::vector<std::string> paths;
  for (const auto& [path, text] : got->files) paths.push_back(path);
  EXPECT_EQ(paths,
            (std::vector<std::string>{".gitignore", "models/silver/events.sql", "models/silver/events.yml", "models/silver/orders.sql",
                                      "models/silver/orders.yml", "sluice.yml", "sources/events.yml", "sources/orders.yml"}));
  EXPECT_NE(got->files["sluice.yml"].find("project: retail_shop\n"), std::string::npos);
  EXPECT_NE(got->files["sluice.yml"].find("files: { type: files, path: \"./landing\" }"), std::string::npos);
  EXPECT_NE(got->files["sources/orders.yml"].find("read: { files: \"orders/orders_[0-9]*.csv\", format: csv }"), std::string::npos);
  EXPECT_NE(got->files["models/silver/orders.yml"].find("key: [order_id]\nsequence_by: [updated_at]"), std::string::npos)
      << got->files["models/silver/orders.yml"];
  EXPECT_NE(got->files["models/silver/orders.sql"].find(
                "qualify row_number() over (partition by order_id order by updated_at desc, _file desc, _row desc) = 1"),
            std::string::npos);
  EXPECT_NE(got->files["models/silver/events.yml"].find("store: append"), std::string::npos);
  ASSERT_EQ(got->sources.size(), 2u);
  EXPECT_EQ(got->sources[1].records, 400);
  EXPECT_EQ(got->sources[1].misfits, 2);
  EXPECT_EQ(got->skipped.size(), 2u);
}

TEST_F(DiscoverTest, ADamagedFileSaysNothingOfTheOthersOfItsSource) {
  Write("orders_1.csv", Orders(1));
  Write("orders_2.csv.gz", "\x1f\x8b\x08");  // cut
  Write("orders_3.csv", Orders(201));
  const auto got = ProposeProject({folder_.string(), "", ""});
  ASSERT_TRUE(got) << got.error().ToString();
  ASSERT_EQ(got->sources.size(), 1u);
  EXPECT_EQ(got->sources[0].files, 2);
  EXPECT_EQ(got->sources[0].records, 400);
  ASSERT_EQ(got->skipped.size(), 1u);
  EXPECT_EQ(got->skipped[0].key, "orders_2.csv.gz");
  EXPECT_NE(got->skipped[0].why.find("ends in the middle of its compressed data"), std::string::npos) << got->skipped[0].why;
  EXPECT_NE(got->skipped[0].why.find("ask for the file again); a run stops at it until it is whole or gone"), std::string::npos);
}

TEST_F(DiscoverTest, AFolderWithoutDataProposesNothing) {
  EXPECT_EQ(ProposeProject({folder_.string(), "", ""}).error().code, "nothing-to-propose");
  EXPECT_EQ(ProposeProject({(folder_ / "none").string(), "", ""}).error().code, "no-such-folder");
}

TEST_F(DiscoverTest, DetectsTheColumnsOfASourceWithoutContract) {
  Write("a_1.csv", "id,when,amount,bad\n1,2024-01-01 10:00:00,1.25,1\n2,2024-01-01 10:00:00,2,x\n");
  Write("a_2.csv", "id,when,amount,bad,extra\n3,2024-01-01 10:00:00,1.5,2,true\n");
  SourceSpec spec;
  spec.connection_type = "files";
  spec.location = folder_.string();
  spec.read.files = "a_*.csv";
  auto source = OpenSource(spec);
  ASSERT_TRUE(source);
  auto offer = (*source)->Look({}, Instant{});
  ASSERT_TRUE(offer);
  auto fields = (*source)->DetectColumns(offer->files);
  ASSERT_TRUE(fields) << fields.error().ToString();
  std::string text;
  for (const contract::Field& field : *fields) text += field.name + " " + field.type.ToString() + "; ";
  EXPECT_EQ(text, "id bigint; when timestamp_ntz; amount decimal(12,2); bad string; extra boolean; ");
}

TEST_F(DiscoverTest, OffersCompressionAndDialectOfEachFile) {
  Write("1.csv", "id,name\n1,a\n");
  Write("2.csv", "id;name\n1;a\n");
  SourceSpec spec;
  spec.connection_type = "files";
  spec.location = folder_.string();
  spec.read.files = "./*.csv";
  auto source = OpenSource(spec);
  ASSERT_TRUE(source);
  auto offer = (*source)->Look({}, Instant{});
  ASSERT_TRUE(offer) << offer.error().ToString();
  ASSERT_EQ(offer->files.size(), 2u);
  EXPECT_EQ(offer->files[0].csv.delimiter, ',');
  EXPECT_EQ(offer->files[1].csv.delimiter, ';');
  Ledger ledger;
  for (const InputFile& file : offer->files) ledger[file.object.key] = {file.object.size, file.object.etag};
  EXPECT_EQ((*source)->Look(ledger, Instant{})->unchanged, 2);
  spec.read.files = "*.parquet";
  EXPECT_EQ((*OpenSource(spec))->Look({}, Instant{})->warnings.at(0).code, "no-files");
  spec.location += "/none";
  EXPECT_EQ(OpenSource(spec).error().code, "no-such-folder");
  spec.connection_type = "fils";
  EXPECT_EQ(OpenSource(spec).error().message, "there is no connector \"fils\" (did you mean \"files\"?)");
}

TEST(GroupFiles, GroupsByNamesThatDifferInNumbers) {
  const Grouping got = GroupFiles({"orders_2024-01-01.csv", "orders_2024-01-02.csv", "orders_items_1.csv", "s3_log.jsonl",
                                   "a/users/2024/01/part-00001.parquet", "a/users/2024/02/part-00001.parquet",
                                   "events-20240101T100000Z.json.gz", "events-20240102T100000Z.json", ".x.csv", "b.tmp", "c.pdf"});
  std::string text;
  for (const FileGroup& group : got.groups) text += group.name + " " + group.glob + " " + std::to_string(group.keys.size()) + "\n";
  EXPECT_EQ(text,
            "events events-[0-9]*.json* 2\norders orders_[0-9]*.csv 2\norders_items orders_items_[0-9]*.csv 1\ns3_log s3_log.jsonl 1\n"
            "users a/users/[0-9]*/[0-9]*/part-[0-9]*.parquet 2\n");
  EXPECT_EQ(got.skipped.size(), 3u);
}

TEST(GroupFiles, NamesAreAllDifferent) {
  const Grouping got = GroupFiles({"x/orders.csv", "y/orders.csv", "y/orders.ndjson", "2024.csv"});
  std::set<std::string> names;
  for (const FileGroup& group : got.groups) names.insert(group.name);
  EXPECT_EQ(names, (std::set<std::string>{"orders", "orders_csv", "orders_json", "data"}));
}

TEST(Propose, MakesNames) {
  EXPECT_EQ(ColumnName("order_id"), "order_id");
  EXPECT_EQ(ColumnName("InvoiceNo"), "InvoiceNo");
  EXPECT_EQ(ColumnName("Unit Price (EUR)"), "unit_price_eur");
  EXPECT_EQ(ColumnName("2024"), "c_2024");
  EXPECT_EQ(ColumnName("_file"), "c_file");
  EXPECT_EQ(ColumnName("%"), "column");
  EXPECT_EQ(TableName("Customer Orders"), "customer_orders");
  EXPECT_EQ(TableName("2024"), "t_2024");
}

TEST(Propose, QuotesYamlWhereNeeded) {
  EXPECT_EQ(YamlText("plain_name"), "plain_name");
  EXPECT_EQ(YamlText("two words"), "two words");
  for (const char* text : {"", "yes", "Null", "12", "a: b", "#x", "*.csv", "- a"})
    EXPECT_EQ(YamlText(text), "\"" + std::string(text) + "\"");
  EXPECT_EQ(YamlText("a\"b\\c"), "\"a\\\"b\\\\c\"");
  EXPECT_EQ(YamlText("decimal(12,2)"), "\"decimal(12,2)\"");
}

}  // namespace
}  // namespace sluice::sources
