#include "formats/xml_record.h"

#include <gtest/gtest.h>

#include <chrono>

#include "formats/bytes.h"
#include "formats/reader_fixture.h"
#include "formats/xml.h"

namespace sluice::formats {
namespace {

TEST(XmlRecord, ManyDifferentChildrenTakeTimeInProportionToTheirNumber) {
  XmlNode record;
  for (int i = 0; i < 400'000; ++i) {
    record.children.push_back(std::make_unique<XmlNode>());
    record.children.back()->name = "child" + std::to_string(i % 200'000);
    record.children.back()->text = "x";
  }
  const auto begin = std::chrono::steady_clock::now();
  const std::string json = JsonOfXml(record, nullptr);
  EXPECT_TRUE(json.starts_with(R"({"child0":["x","x"],"child1":["x","x"],)"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));  // each beside each would take minutes
}

class XmlTest : public ReaderTest {
 protected:
  Rows Read(const std::string& text) {
    EXPECT_TRUE(store_->Put("f", text));
    ReadRequest request = Request();
    request.options.record = "row";
    return ReadAll(OpenXml(request));
  }
};

TEST_F(XmlTest, NilIsThatOfTheNamespaceWhateverItsPrefix) {
  Column("a", "string");
  const std::string xsi = "\"http://www.w3.org/2001/XMLSchema-instance\"";
  const auto read = [&](const std::string& root, const std::string& a) {
    const Rows got = Read("<list " + root + "><row>" + a + "</row><row/></list>");
    EXPECT_EQ(got.error, "");
    return got.rows.at(0);
  };
  EXPECT_EQ(read("xmlns:xsi=" + xsi, "<a xsi:nil=\"true\"/>"), "null");
  EXPECT_EQ(read("xmlns:i=" + xsi, "<a i:nil=\"1\">gone</a>"), "null");
  EXPECT_EQ(read("xmlns:i=" + xsi, "<a i:nil=\" true \"/>"), "null");
  EXPECT_EQ(read("xmlns:i=" + xsi, "<a i:nil=\"false\">x</a>"), "x");
  EXPECT_EQ(read("", "<a xmlns:i=" + xsi + " i:nil=\"true\">x</a>"), "null");
  EXPECT_EQ(read("xmlns:xsi=\"urn:other\"", "<a xsi:nil=\"true\">x</a>"), "{\"@nil\":\"true\",\"#text\":\"x\"}");
  EXPECT_EQ(read("xmlns:i=" + xsi, "<a xmlns:i=\"urn:other\" i:nil=\"true\">x</a>"), "{\"@nil\":\"true\",\"#text\":\"x\"}");
  EXPECT_EQ(read("", "<a nil=\"true\">x</a>"), "{\"@nil\":\"true\",\"#text\":\"x\"}");
}

TEST_F(XmlTest, TheRecordIsFoundAmongMorePathsThanAreCounted) {
  std::string text = "<list>";
  for (int i = 0; i < 50; ++i) text += "<row><id>1</id></row>";
  for (int i = 0; i < 30'000; ++i) text += "<e" + std::to_string(i) + "/>";
  ASSERT_TRUE(store_->Put("f", text + "</list>"));
  EXPECT_EQ(*DetectRecordElement(Request()), "row");
}

}  // namespace
}  // namespace sluice::formats
