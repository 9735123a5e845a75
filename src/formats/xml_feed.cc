#include "formats/xml_feed.h"

#include <expat.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/text.h"

namespace sluice::formats {
namespace {

constexpr size_t kPiece = 64 << 10;
constexpr int kMaxDepth = 128;
constexpr std::string_view kXsi = "http://www.w3.org/2001/XMLSchema-instance";
constexpr int64_t kMaxToken = 16 << 20;  // a tag is held whole until it ends

std::string_view LocalName(std::string_view name) { return name.substr(name.find(':') + 1); }

// 0x80 to 0x9F of Windows-1252; -1: no character.
constexpr std::array<int, 32> kWindows1252 = {0x20AC, -1,     0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
                                              0x2039, 0x0152, -1,     0x017D, -1,     -1,     0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
                                              0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, -1,     0x017E, 0x0178};

// The 8-bit codes that expat does not know itself.
int OnEncoding(void*, const char* name, XML_Encoding* info) {
  const std::string code = ToLower(name);
  const bool windows = code == "windows-1252" || code == "cp1252";
  if (!windows && code != "iso-8859-15") return XML_STATUS_ERROR;
  for (int i = 0; i < 256; ++i) info->map[i] = i;
  for (size_t i = 0; i < kWindows1252.size() && windows; ++i) info->map[0x80 + i] = kWindows1252[i];
  static constexpr std::pair<int, int> kLatin9[] = {{0xA4, 0x20AC}, {0xA6, 0x160}, {0xA8, 0x161}, {0xB4, 0x17D},
                                                    {0xB8, 0x17E},  {0xBC, 0x152}, {0xBD, 0x153}, {0xBE, 0x178}};
  for (const auto& [byte, character] : kLatin9)
    if (!windows) info->map[byte] = character;
  info->data = nullptr;
  info->convert = nullptr;
  info->release = nullptr;
  return XML_STATUS_OK;
}

}  // namespace

XmlFeed::XmlFeed(std::unique_ptr<ByteSource> bytes, XmlListener& listener, std::string uri)
    : bytes_(std::move(bytes)), listener_(listener), uri_(std::move(uri)), buffer_(kPiece, '\0'), parser_(XML_ParserCreate(nullptr)) {
  XML_SetUserData(parser_, this);
  XML_SetElementHandler(parser_, OnStart, OnEnd);
  XML_SetCharacterDataHandler(parser_, OnText);
  XML_SetStartDoctypeDeclHandler(parser_, OnDoctype);
  XML_SetUnknownEncodingHandler(parser_, OnEncoding, nullptr);
}

XmlFeed::~XmlFeed() { XML_ParserFree(parser_); }

Result<bool> XmlFeed::Step() {
  if (ended_) return false;
  SLUICE_TRY(const size_t n, bytes_->Read(buffer_.data(), buffer_.size()));
  ended_ = n == 0;
  fed_ += static_cast<int64_t>(n);
  if (XML_Parse(parser_, buffer_.data(), static_cast<int>(n), ended_ ? XML_TRUE : XML_FALSE) == XML_STATUS_OK) {
    if (fed_ - offset() > kMaxToken) return Fail(Malformed("a tag or comment that is longer than " + FormatBytes(kMaxToken)));
    return true;
  }
  if (!refused_.empty()) return Fail(Malformed(refused_));
  const XML_Error code = XML_GetErrorCode(parser_);
  if (ended_ && (code == XML_ERROR_NO_ELEMENTS || code == XML_ERROR_UNCLOSED_TOKEN || code == XML_ERROR_UNCLOSED_CDATA_SECTION ||
                 code == XML_ERROR_PARTIAL_CHAR))
    return Fail(Malformed("it ends before its last element is closed"));
  return Fail(Malformed(XML_ErrorString(code)));
}

int64_t XmlFeed::line() const { return static_cast<int64_t>(XML_GetCurrentLineNumber(parser_)); }
int64_t XmlFeed::offset() const { return static_cast<int64_t>(XML_GetCurrentByteIndex(parser_)); }

Error XmlFeed::Malformed(const std::string& why) const {
  return DataError("malformed-xml", fmt::format("{}, line {}, column {}: {}", uri_, line(), XML_GetCurrentColumnNumber(parser_) + 1, why))
      .Hint("what follows cannot be told from it, so nothing of the file is taken: ask for it again");
}

void XmlFeed::OnStart(void* self, const char* name, const char** attributes) {
  auto& feed = *static_cast<XmlFeed*>(self);
  if (++feed.depth_ > kMaxDepth) {
    feed.refused_ = fmt::format("nested deeper than {} levels", kMaxDepth);
    XML_StopParser(feed.parser_, XML_FALSE);
    return;
  }
  for (const char** at = attributes; *at != nullptr; at += 2) feed.Declare(at[0], at[1]);
  feed.attributes_.clear();
  for (; *attributes != nullptr; attributes += 2) {
    const std::string_view attribute = attributes[0];
    if (attribute == "xmlns" || attribute.starts_with("xmlns:")) continue;
    feed.attributes_.push_back({feed.IsNil(attribute) ? kXsiNil : LocalName(attribute), attributes[1]});
  }
  feed.listener_.Start(LocalName(name), feed.attributes_);
}

void XmlFeed::Declare(std::string_view attribute, std::string_view uri) {
  if (attribute.starts_with("xmlns:")) declared_.push_back({depth_, std::string(attribute.substr(6)), uri == kXsi});
}

bool XmlFeed::IsNil(std::string_view attribute) const {
  if (!attribute.ends_with(":nil")) return false;
  const std::string_view prefix = attribute.substr(0, attribute.find(':'));
  const auto found = std::find_if(declared_.rbegin(), declared_.rend(), [&](const Declared& one) { return one.prefix == prefix; });
  return found != declared_.rend() && found->xsi;
}

void XmlFeed::OnEnd(void* self, const char* name) {
  auto& feed = *static_cast<XmlFeed*>(self);
  while (!feed.declared_.empty() && feed.declared_.back().depth == feed.depth_) feed.declared_.pop_back();
  --feed.depth_;
  feed.listener_.End(LocalName(name));
}

void XmlFeed::OnText(void* self, const char* text, int length) {
  static_cast<XmlFeed*>(self)->listener_.Text({text, static_cast<size_t>(length)});
}

void XmlFeed::OnDoctype(void* self, const char*, const char*, const char*, int) {
  auto& feed = *static_cast<XmlFeed*>(self);
  feed.refused_ = "a document type declaration (DOCTYPE), which may bring entities from elsewhere";
  XML_StopParser(feed.parser_, XML_FALSE);
}

}  // namespace sluice::formats
