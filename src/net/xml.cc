#include "net/xml.h"

#include <expat.h>
#include <fmt/format.h>

#include <memory>

namespace sluice::net {
namespace {

constexpr size_t kDeepest = 32;

struct Building {
  XML_Parser parser;
  XmlElement root;                // its child is the document's root
  std::vector<size_t> path = {};  // the place of each open element among its parent's children

  XmlElement& Open() {
    XmlElement* at = &root;
    for (const size_t place : path) at = &at->children[place];
    return *at;
  }
};

void XMLCALL OnStart(void* user, const XML_Char* name, const XML_Char**) {
  auto& building = *static_cast<Building*>(user);
  if (building.path.size() >= kDeepest) {
    XML_StopParser(building.parser, XML_FALSE);
    return;
  }
  const std::string_view whole = name;
  XmlElement& parent = building.Open();
  parent.children.push_back({std::string(whole.substr(whole.find(':') + 1)), "", {}});
  building.path.push_back(parent.children.size() - 1);
}

void XMLCALL OnEnd(void* user, const XML_Char*) { static_cast<Building*>(user)->path.pop_back(); }

void XMLCALL OnText(void* user, const XML_Char* text, int length) {
  static_cast<Building*>(user)->Open().text.append(text, static_cast<size_t>(length));
}

}  // namespace

const XmlElement* XmlElement::Find(std::string_view child) const {
  for (const XmlElement& element : children)
    if (element.name == child) return &element;
  return nullptr;
}

std::string XmlElement::TextOf(std::string_view child) const {
  const XmlElement* element = Find(child);
  return element != nullptr ? element->text : "";
}

Result<XmlElement> ParseXml(std::string_view text) {
  const std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser(XML_ParserCreate(nullptr), XML_ParserFree);
  Building building{parser.get(), {}};
  XML_SetUserData(parser.get(), &building);
  XML_SetElementHandler(parser.get(), OnStart, OnEnd);
  XML_SetCharacterDataHandler(parser.get(), OnText);
  if (XML_Parse(parser.get(), text.data(), static_cast<int>(text.size()), XML_TRUE) != XML_STATUS_OK)
    return Fail(
        RetryableError("bad-answer", fmt::format("the peer's answer is no XML: {} at byte {}",
                                                 XML_ErrorString(XML_GetErrorCode(parser.get())), XML_GetCurrentByteIndex(parser.get()))));
  return std::move(building.root.children.front());
}

}  // namespace sluice::net
