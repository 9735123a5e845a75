#pragma once
// The elements of one XML record, and the JSON object that they stand for.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/field_shape.h"
#include "formats/xml_feed.h"

namespace sluice::formats {

struct XmlNode {
  std::string name, text;
  std::vector<std::pair<std::string, std::string>> attributes;
  std::vector<std::unique_ptr<XmlNode>> children;
  bool nil = false;  // it says that it has no value
};

// As `shape` (the record's struct; null: unknown) wants it.
std::string JsonOfXml(const XmlNode& record, const FieldShape* shape);

}  // namespace sluice::formats
