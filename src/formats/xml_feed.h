#pragma once
// XML in pieces, through expat: elements and text as they come, in bounded memory. No document type declarations, and so no entities of a
// file's own: neither files from elsewhere nor bombs.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/reader.h"

struct XML_ParserStruct;

namespace sluice::formats {

struct XmlAttribute {
  std::string_view name, value;
};

// XML Schema's attribute that says whether an element has no value, whatever its prefix in the file.
inline constexpr std::string_view kXsiNil = "xsi:nil";

// Names come without their namespace's prefix, but kXsiNil; xmlns declarations are left out.
class XmlListener {
 public:
  virtual ~XmlListener() = default;
  virtual void Start(std::string_view name, const std::vector<XmlAttribute>& attributes) = 0;
  virtual void End(std::string_view name) = 0;
  virtual void Text(std::string_view text) = 0;
};

class XmlFeed {
 public:
  // `uri` is for messages.
  XmlFeed(std::unique_ptr<ByteSource> bytes, XmlListener& listener, std::string uri);
  ~XmlFeed();
  XmlFeed(const XmlFeed&) = delete;
  XmlFeed& operator=(const XmlFeed&) = delete;

  // Parses the next piece; false once the document has ended. Errors: kData "malformed-xml", with line and column; those of the bytes.
  Result<bool> Step();
  // Where the element or text being told of stands.
  int64_t line() const;
  int64_t offset() const;

 private:
  static void OnStart(void* self, const char* name, const char** attributes);
  static void OnEnd(void* self, const char* name);
  static void OnText(void* self, const char* text, int length);
  static void OnDoctype(void* self, const char*, const char*, const char*, int);
  Error Malformed(const std::string& why) const;
  void Declare(std::string_view attribute, std::string_view uri);
  bool IsNil(std::string_view attribute) const;

  std::unique_ptr<ByteSource> bytes_;
  XmlListener& listener_;
  std::string uri_, buffer_, refused_;
  std::vector<XmlAttribute> attributes_;
  struct Declared {
    int depth = 0;  // of its element
    std::string prefix;
    bool xsi = false;  // of XML Schema's namespace of instances
  };
  std::vector<Declared> declared_;  // of the elements that are open
  XML_ParserStruct* parser_;
  int64_t fed_ = 0;  // bytes
  int depth_ = 0;
  bool ended_ = false;
};

}  // namespace sluice::formats
