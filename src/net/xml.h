#pragma once
// The small XML answers of S3 and STS, as a tree; by Expat.
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace sluice::net {

struct XmlElement {
  std::string name;  // without a prefix
  std::string text;  // of the element itself, its children's left out
  std::vector<XmlElement> children;

  const XmlElement* Find(std::string_view child) const;  // the first of that name; nullptr: none
  std::string TextOf(std::string_view child) const;      // "" if it is not there
};

// The root element. Error kRetryable "bad-answer": no XML, or cut off.
Result<XmlElement> ParseXml(std::string_view text);

}  // namespace sluice::net
