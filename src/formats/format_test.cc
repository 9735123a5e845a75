#include "formats/format.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "formats/reader_fixture.h"
#include "formats/test_zip.h"
#include "formats/zip_archive.h"

namespace sluice::formats {
namespace {

namespace fs = std::filesystem;
using Texts = std::vector<std::string>;

std::string Workbook(const std::string& rows) {
  return ZipOf({{"[Content_Types].xml", "<Types/>"},
                {"xl/workbook.xml", "<workbook xmlns:r=\"r\"><sheets><sheet name=\"S\" r:id=\"a\"/></sheets></workbook>"},
                {"xl/_rels/workbook.xml.rels", "<Relationships><Relationship Id=\"a\" Target=\"worksheets/s.xml\"/></Relationships>"},
                {"xl/worksheets/s.xml", "<worksheet><sheetData>" + rows + "</sheetData></worksheet>"}});
}

std::string Text(const std::string& text) { return "<c t=\"inlineStr\"><is><t>" + text + "</t></is></c>"; }

class FormatTest : public ReaderTest {
 protected:
  void SetUp() override {
    scratch_ = fs::temp_directory_path() / ("sluice-format-" + std::to_string(getpid()));
    fs::create_directories(scratch_);
  }
  void TearDown() override { fs::remove_all(scratch_); }

  ReadRequest Member(size_t i) {
    ReadRequest request = Request();
    request.scratch_dir = scratch_;
    auto listing = ListArchive(*store_, *store_->Head("f"), "");
    EXPECT_TRUE(listing) << listing.error().ToString();
    request.member = listing->members.at(i);
    return request;
  }
  bool scratch_is_empty() const { return fs::is_empty(scratch_); }

  fs::path scratch_;
};

TEST_F(FormatTest, EveryFormatHasItsLineInOrder) {
  for (size_t i = 0; i < AllFormats().size(); ++i) {
    EXPECT_EQ(static_cast<size_t>(AllFormats()[i].format), i);
    for (const std::string_view ending : AllFormats()[i].endings)
      EXPECT_EQ(FormatOfPath(fmt::format("a/x{}.gz", ending)), &AllFormats()[i]);
  }
  EXPECT_EQ(FormatOfPath("x.pdf"), nullptr);
  EXPECT_EQ(FormatOfPath("x.zip"), nullptr);
  EXPECT_EQ(FormatOfPath("X.CSV.ZIP")->name, "csv");
}

TEST_F(FormatTest, AMemberThatIsReadAtAnyPlaceIsUnpackedForAsLongAsItIsRead) {
  Column("id", "bigint"), Column("name", "string");
  const std::string book = Workbook("<row>" + Text("id") + Text("name") + "</row><row><c><v>1</v></c>" + Text("ann") + "</row>");
  ASSERT_TRUE(store_->Put("f", ZipOf({{"may.xlsx", book}, {"june.xlsx", book.substr(0, 300)}})));
  {
    auto reader = OpenRecords(FileFormat::kXlsx, Member(1), {});
    ASSERT_TRUE(reader) << reader.error().ToString();
    EXPECT_FALSE(scratch_is_empty());
    EXPECT_EQ(ReadAll(std::move(reader)).rows, (Texts{"1 | ann"}));
  }
  EXPECT_TRUE(scratch_is_empty());
  EXPECT_EQ(ReadAll(OpenRecords(FileFormat::kXlsx, Member(0), {})).error, "corrupt-file");
  EXPECT_TRUE(scratch_is_empty());
  contract_.on_new_column = contract::OnNewColumn::kEvolve;
  contract_.columns.pop_back();
  const auto fields = NewColumns(FileFormat::kXlsx, Member(1), {});
  ASSERT_TRUE(fields);
  EXPECT_EQ(fields->size(), 1u);
  EXPECT_TRUE(scratch_is_empty());
}

TEST_F(FormatTest, AWorkbookCutAnywhereIsTold) {
  Column("id", "bigint");
  const std::string book = Workbook("<row>" + Text("id") + "</row><row><c><v>1</v></c></row>");
  for (size_t length = 0; length < book.size(); length += 7) {
    ASSERT_TRUE(store_->Put("f", book.substr(0, length)));
    EXPECT_EQ(ReadAll(OpenRecords(FileFormat::kXlsx, Request(), {})).error, "corrupt-file") << length;
  }
}

// A sheet whose texts would not fit is refused, not held.
TEST_F(FormatTest, AWorkbookOfTooManyTextsIsRefused) {
  Column("id", "string");
  std::string texts = "<sst>";
  for (int i = 0; i < 20000; ++i) texts += "<si><t>" + std::string(100, 'x') + "</t></si>";
  std::string book =
      ZipOf({{"[Content_Types].xml", "<Types/>"},
             {"xl/workbook.xml", "<workbook xmlns:r=\"r\"><sheets><sheet name=\"S\" r:id=\"a\"/></sheets></workbook>"},
             {"xl/_rels/workbook.xml.rels", "<Relationships><Relationship Id=\"a\" Target=\"worksheets/s.xml\"/></Relationships>"},
             {"xl/sharedStrings.xml", texts + "</sst>"},
             {"xl/worksheets/s.xml", "<worksheet/>"}});
  ASSERT_TRUE(store_->Put("f", book));
  max_record_bytes_ = 100000;
  EXPECT_EQ(ReadAll(OpenRecords(FileFormat::kXlsx, Request(), {})).error, "xlsx-too-large");
}

// Elements and rows beyond the limit of a record keep their beginning; the next ones are read.
TEST_F(FormatTest, LongRecordsOfXmlAndExcelAreCut) {
  Column("a", "string");
  max_record_bytes_ = 100000;
  const std::string huge(300000, 'x');
  ASSERT_TRUE(store_->Put("f", "<r><o><a>" + huge + "</a></o><o><a>1</a></o></r>"));
  ReadRequest request = Request();
  request.options.record = "o";
  Rows got = ReadAll(OpenRecords(FileFormat::kXml, request, {}));
  EXPECT_EQ(got.rows, (Texts{"null", "1"}));
  ASSERT_EQ(got.violations.size(), 1u);
  EXPECT_EQ(got.violations[0].rule, "length");
  ASSERT_TRUE(store_->Put("f", Workbook("<row>" + Text("a") + "</row><row>" + Text(huge) + "</row><row>" + Text("1") + "</row>")));
  got = ReadAll(OpenRecords(FileFormat::kXlsx, Request(), {}));
  EXPECT_EQ(got.rows, (Texts{"null", "1"}));
  ASSERT_EQ(got.violations.size(), 1u);
  EXPECT_EQ(got.violations[0].rule, "length");
}

TEST_F(FormatTest, XmlIsBounded) {
  Column("a", "string");
  ReadRequest request = Request();
  request.options.record = "o";
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += "<d>";
  for (const std::string& text :
       {"<r><o>" + deep, std::string("<r><o a=\"") + std::string(20 << 20, 'x'), std::string("<r><o><a>1</a>"), std::string("no xml")}) {
    ASSERT_TRUE(store_->Put("f", text));
    EXPECT_EQ(ReadAll(OpenRecords(FileFormat::kXml, request, {})).error, "malformed-xml");
  }
  ASSERT_TRUE(store_->Put("f", "<?xml version=\"1.0\" encoding=\"windows-1252\"?><r><o><a>\x80 \xe9</a></o></r>"));
  EXPECT_EQ(ReadAll(OpenRecords(FileFormat::kXml, request, {})).rows, (Texts{"\xe2\x82\xac \xc3\xa9"}));
}

}  // namespace
}  // namespace sluice::formats
