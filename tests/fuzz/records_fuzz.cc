// The readers of JSON documents, XML, fixed width, Excel, Avro and zip: the same of a file in blocks of any size, and nothing but values
// and violations whatever the bytes are.
#include "formats/format.h"
#include "formats/test_zip.h"
#include "formats/zip_archive.h"
#include "input.h"

namespace sluice::fuzz {
namespace {

using formats::FileFormat;

// A workbook around the text: as its sheet, or as the texts that its sheet shows.
std::string Book(std::string_view text, bool as_sheet) {
  const std::string sheet =
      "<worksheet><sheetData><row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c><c r=\"B1\" t=\"s\"><v>1</v></c></row>"
      "<row r=\"2\"><c r=\"A2\" t=\"s\"><v>2</v></c><c r=\"B2\"><v>7</v></c></row></sheetData></worksheet>";
  const std::string texts = "<sst><si><t>a</t></si><si><t>b</t></si><si><t>c</t></si></sst>";
  return formats::ZipOf({
      {"[Content_Types].xml",
       "<Types><Override PartName=\"/xl/workbook.xml\" ContentType=\"application/vnd.openxmlformats-officedocument."
       "spreadsheetml.sheet.main+xml\"/></Types>"},
      {"xl/workbook.xml", "<workbook><sheets><sheet name=\"S\" sheetId=\"1\" id=\"r1\"/></sheets></workbook>"},
      {"xl/_rels/workbook.xml.rels", "<Relationships><Relationship Id=\"r1\" Target=\"sheet.xml\"/></Relationships>"},
      {"xl/styles.xml",
       "<styleSheet><numFmts><numFmt numFmtId=\"170\" formatCode=\"00000\"/></numFmts><cellXfs><xf numFmtId=\"0\"/>"
       "<xf numFmtId=\"14\"/><xf numFmtId=\"22\"/><xf numFmtId=\"170\"/></cellXfs></styleSheet>"},
      {"xl/sharedStrings.xml", as_sheet ? texts : std::string(text)},
      {"xl/sheet.xml", as_sheet ? std::string(text) : sheet},
  });
}

std::string_view ErrorOf(std::string_view transcript) {
  const size_t begin = transcript.rfind("\nerror ") + 1;  // npos + 1 = 0
  return transcript.substr(begin).starts_with("error ") ? transcript.substr(begin) : std::string_view();
}

void ReadAs(FileFormat format, const File& file, formats::FormatOptions options, int64_t block, int64_t max) {
  const auto transcript = [&](int64_t bytes) {
    formats::ReadRequest request = file.Request(bytes, max);
    request.options = options;
    return Transcript(formats::OpenRecords(format, request, {}));
  };
  const std::string whole = transcript(1 << 20), parts = transcript(block);
  // Of a broken file it depends on the blocks how many records come before the error.
  const bool both_broken = ErrorOf(whole) == ErrorOf(parts) && !ErrorOf(whole).empty();
  Require(both_broken || whole == parts, "blocks make no difference", "\n" + whole + "---\n" + parts);
  formats::ReadRequest request = file.Request(block, max);
  request.options = std::move(options);
  (void)formats::NewColumns(format, request, {});
}

void ReadMembers(const File& file) {
  formats::ReadRequest request = file.Request(1 << 20, 1 << 20);
  const auto listing = formats::ListArchive(*request.store, *request.store->Head("f"), "");
  if (!listing) return;
  char buffer[4096];
  for (const formats::ArchiveMember& member : listing->members) {
    request.member = member;
    auto bytes = formats::OpenBytes(request);
    for (int piece = 0; bytes && piece < 1000; ++piece) {
      const auto n = (*bytes)->Read(buffer, sizeof(buffer));
      if (!n || *n == 0) break;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Settings settings(data, size);
  const unsigned kind = settings.Next(7);
  const unsigned contract = settings.Next(File::kContracts);
  const int64_t block = 16 + settings.Next(200), limits[] = {1 << 20, 64, 300};
  const int64_t max = limits[settings.Next(3)];
  const bool in_book = kind == 3 || kind == 4;
  const File file(in_book ? Book(settings.text(), kind == 3) : std::string(settings.text()), contract);
  formats::FormatOptions options;
  options.record = "r";
  options.fixed.fields = {{"a", 0, 3}, {"b", 4, 5}, {"c", 9, 2}};
  options.fixed.pad = contract % 2 == 0;
  constexpr FileFormat kFormats[] = {FileFormat::kJson, FileFormat::kXml,  FileFormat::kFixed,
                                     FileFormat::kXlsx, FileFormat::kXlsx, FileFormat::kAvro};
  if (kind == 6)
    ReadMembers(file);
  else
    ReadAs(kFormats[kind], file, std::move(options), block, max);
  return 0;
}

}  // namespace sluice::fuzz
