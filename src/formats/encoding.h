#pragma once
// Text in another encoding → UTF-8, on its way in: behind decompression, before any reader.
//
// What the encoding does not define (a byte of Windows-1252 that stands for nothing, half a surrogate pair, a cut character) becomes
// bytes that are no UTF-8, so that its record is refused under the rule "encoding" and no other: 0xFF and then the byte itself, or the
// three bytes that a lone surrogate would have. A byte order mark stays, as that of UTF-8.
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "formats/reader.h"

namespace sluice::formats {

// The canonical name of an encoding, whatever its case and punctuation ("CP1252", "latin1"); nullopt: not known. UTF-8 is "utf-8".
std::optional<std::string> CanonicalEncoding(std::string_view name);
std::vector<std::string> EncodingNames();  // canonical
// The canonical name of what a person wrote. Error kUser "unknown-encoding" with the nearest name.
Result<std::string> ParseEncoding(std::string_view name);

// What a byte order mark at the front says: "utf-8", "utf-16le", "utf-32be", …; "": none.
std::string EncodingOfMark(std::string_view first_bytes);

// `encoding` is canonical. Error kUser "encoding-not-installed": the C library here lacks its table.
Result<std::unique_ptr<ByteSource>> Transcode(std::unique_ptr<ByteSource> source, const std::string& encoding);
// The same of bytes at hand. `whole`: nothing follows them; else a character that is cut at the end is left out.
Result<std::string> TranscodeText(std::string_view bytes, const std::string& encoding, bool whole);

// How many bytes of a file the texts came from that Transcode gave. For one thread at a time.
class SourceSize {
 public:
  explicit SourceSize(const std::string& encoding);  // canonical; "" = UTF-8
  SourceSize(SourceSize&&) noexcept;
  ~SourceSize();
  int64_t Of(std::string_view text);

 private:
  struct Backward;
  std::unique_ptr<Backward> backward_;  // null: the text is the file's own
};

// OpenBytes, and Transcode where the request has an encoding.
Result<std::unique_ptr<ByteSource>> OpenText(const ReadRequest& request);

}  // namespace sluice::formats
