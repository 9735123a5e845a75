#include "formats/encoding.h"

#include <fmt/format.h>
#include <iconv.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/text.h"
#include "formats/bytes.h"

namespace sluice::formats {
namespace {

enum class Family { kSingleByte, kUtf16, kUtf32, kMultiByte };

struct Encoding {
  std::string_view name;
  const char* iconv;
  Family family;
  std::string_view aliases;  // squeezed, with blanks around each
};

constexpr auto S = Family::kSingleByte;
constexpr std::array kEncodings = {
    Encoding{"utf-8", "UTF-8", Family::kMultiByte, " utf8 utf8sig utf8bom "},
    Encoding{"utf-16", "UTF-16LE", Family::kUtf16, " utf16 ucs2 unicode "},
    Encoding{"utf-16le", "UTF-16LE", Family::kUtf16, " utf16le ucs2le "},
    Encoding{"utf-16be", "UTF-16BE", Family::kUtf16, " utf16be ucs2be "},
    Encoding{"utf-32", "UTF-32LE", Family::kUtf32, " utf32 ucs4 "},
    Encoding{"utf-32le", "UTF-32LE", Family::kUtf32, " utf32le "},
    Encoding{"utf-32be", "UTF-32BE", Family::kUtf32, " utf32be "},
    Encoding{"windows-1252", "CP1252", S, " windows1252 cp1252 win1252 ansi "},
    Encoding{"iso-8859-1", "ISO-8859-1", S, " iso88591 latin1 l1 "},
    Encoding{"iso-8859-15", "ISO-8859-15", S, " iso885915 latin9 "},
    Encoding{"windows-1250", "CP1250", S, " windows1250 cp1250 win1250 "},
    Encoding{"windows-1251", "CP1251", S, " windows1251 cp1251 win1251 "},
    Encoding{"windows-1253", "CP1253", S, " windows1253 cp1253 win1253 "},
    Encoding{"windows-1254", "CP1254", S, " windows1254 cp1254 win1254 "},
    Encoding{"windows-1255", "CP1255", Family::kMultiByte, " windows1255 cp1255 win1255 "},
    Encoding{"windows-1256", "CP1256", S, " windows1256 cp1256 win1256 "},
    Encoding{"windows-1257", "CP1257", S, " windows1257 cp1257 win1257 "},
    Encoding{"windows-1258", "CP1258", Family::kMultiByte, " windows1258 cp1258 win1258 "},
    Encoding{"iso-8859-2", "ISO-8859-2", S, " iso88592 latin2 l2 "},
    Encoding{"iso-8859-5", "ISO-8859-5", S, " iso88595 "},
    Encoding{"iso-8859-7", "ISO-8859-7", S, " iso88597 "},
    Encoding{"iso-8859-9", "ISO-8859-9", S, " iso88599 latin5 l5 "},
    Encoding{"iso-8859-13", "ISO-8859-13", S, " iso885913 latin7 "},
    Encoding{"koi8-r", "KOI8-R", S, " koi8r "},
    Encoding{"koi8-u", "KOI8-U", S, " koi8u "},
    Encoding{"macintosh", "MACINTOSH", S, " macroman mac "},
    Encoding{"ibm437", "IBM437", S, " cp437 437 "},
    Encoding{"ibm850", "IBM850", S, " cp850 850 "},
    Encoding{"ibm852", "IBM852", S, " cp852 852 "},
    Encoding{"ibm866", "IBM866", S, " cp866 866 "},
    Encoding{"shift_jis", "CP932", Family::kMultiByte, " shiftjis sjis cp932 windows31j "},
    Encoding{"euc-jp", "EUC-JP", Family::kMultiByte, " eucjp "},
    Encoding{"euc-kr", "CP949", Family::kMultiByte, " euckr cp949 uhc ksc5601 "},
    Encoding{"gb18030", "GB18030", Family::kMultiByte, " gbk gb2312 cp936 "},
    Encoding{"big5", "BIG5-HKSCS", Family::kMultiByte, " big5hkscs cp950 "},
};

const Encoding* Find(std::string_view name) {
  const auto found = std::find_if(kEncodings.begin(), kEncodings.end(), [&](const Encoding& e) { return e.name == name; });
  return found == kEncodings.end() ? nullptr : &*found;
}

// An open conversion of the C library.
class Conversion {
 public:
  Conversion(const char* to, const char* from) : handle_(iconv_open(to, from)) {}
  Conversion(Conversion&& other) noexcept : handle_(std::exchange(other.handle_, kNone)) {}
  Conversion& operator=(Conversion&&) = delete;
  ~Conversion() {
    if (ok()) iconv_close(handle_);
  }
  bool ok() const { return handle_ != kNone; }
  // 0, or errno.
  int Run(std::string_view* in, char** out, size_t* room) {
    char* begin = const_cast<char*>(in->data());
    size_t left = in->size();
    const bool failed = iconv(handle_, &begin, &left, out, room) == static_cast<size_t>(-1);
    const int code = failed ? errno : 0;
    *in = {begin, left};
    return code;
  }
  // What the encoding keeps back until it knows what follows.
  void Flush(char** out, size_t* room) { iconv(handle_, nullptr, nullptr, out, room); }

 private:
  inline static const iconv_t kNone = reinterpret_cast<iconv_t>(-1);
  iconv_t handle_;
};

// Turns pieces of bytes into UTF-8, one after the other.
class Transcoder {
 public:
  static Result<Transcoder> Open(const std::string& name) {
    const Encoding* encoding = Find(name);
    if (encoding == nullptr) return Fail(BugError("no such encoding: " + name));
    Conversion conversion("UTF-8", encoding->iconv);
    if (!conversion.ok())
      return Fail(UserError("encoding-not-installed", fmt::format("the C library of this machine cannot read {}", name))
                      .Hint("install its tables (Debian: libc6, or gconv modules), or convert the file to UTF-8"));
    return Transcoder(*encoding, std::move(conversion));
  }

  // Appends what the bytes say; gives the rest that is the beginning of a character. `last`: nothing follows, and so that is bad too.
  std::string_view Append(std::string_view in, bool last, std::string* out) {
    while (!in.empty()) {
      const size_t before = out->size();
      size_t room = std::min<size_t>(2 * in.size(), 8192) + 64;  // a bad byte ends a run: no more is cleared for it
      out->resize(before + room);
      char* at = out->data() + before;
      const int code = conversion_.Run(&in, &at, &room);
      out->resize(out->size() - room);
      if (code == 0 || code == E2BIG) continue;
      if (code == EINVAL && !last) break;
      PassBad(&in, out);
    }
    if (last) Flush(out);
    return in;
  }

 private:
  Transcoder(const Encoding& encoding, Conversion conversion) : encoding_(encoding), conversion_(std::move(conversion)) {}

  void Flush(std::string* out) {
    char kept[64];
    char* at = kept;
    size_t room = sizeof kept;
    conversion_.Flush(&at, &room);
    out->append(kept, sizeof kept - room);
  }

  // The front of `in` is nothing that the encoding defines.
  void PassBad(std::string_view* in, std::string* out) {
    const auto byte = [&](size_t i) { return static_cast<unsigned char>((*in)[i]); };
    size_t width = encoding_.family == Family::kUtf16 ? 2 : encoding_.family == Family::kUtf32 ? 4 : 1;
    if (width == 2 && in->size() >= 2) {
      const bool big = encoding_.name == "utf-16be";
      const unsigned unit = big ? byte(0) << 8 | byte(1) : byte(1) << 8 | byte(0);
      *out += {static_cast<char>(0xe0 | unit >> 12), static_cast<char>(0x80 | (unit >> 6 & 0x3f)), static_cast<char>(0x80 | (unit & 0x3f))};
    } else {
      *out += '\xff';
      if (width == 1 && byte(0) >= 0x80) *out += (*in)[0];
      // A lead byte before an ASCII one: the latter may be a line's end, and is read for itself.
    }
    in->remove_prefix(std::min(width, in->size()));
  }

  const Encoding& encoding_;
  Conversion conversion_;
};

class TranscodedBytes : public ByteSource {
 public:
  TranscodedBytes(std::unique_ptr<ByteSource> source, Transcoder transcoder)
      : source_(std::move(source)), transcoder_(std::move(transcoder)) {}

  Result<size_t> Read(char* buffer, size_t capacity) override {
    while (at_ == text_.size() && !ended_) SLUICE_CHECK(Fill());
    const size_t n = std::min(capacity, text_.size() - at_);
    std::memcpy(buffer, text_.data() + at_, n);
    at_ += n;
    return n;
  }

 private:
  static constexpr size_t kPiece = 256 << 10;

  Status Fill() {
    const size_t cut = bytes_.size();
    bytes_.resize(cut + kPiece);
    Result<size_t> n = source_->Read(bytes_.data() + cut, kPiece);
    bytes_.resize(cut + n.value_or(0));
    if (!n) return Fail(std::move(n).error());
    ended_ = *n == 0;
    text_.clear();
    at_ = 0;
    const size_t left = transcoder_.Append(bytes_, ended_, &text_).size();
    bytes_.erase(0, bytes_.size() - left);
    return Ok();
  }

  std::unique_ptr<ByteSource> source_;
  Transcoder transcoder_;
  std::string bytes_;  // the beginning of a character, between two calls
  std::string text_;
  size_t at_ = 0;
  bool ended_ = false;
};

// A character of UTF-8 that begins with `lead`, in bytes; 0: none does.
size_t LengthOf(unsigned char lead) { return lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0; }

int64_t BytesBack(std::string_view text, Conversion& back) {
  int64_t total = 0;
  std::string scratch(4096, '\0');
  while (!text.empty() && back.ok()) {
    char* at = scratch.data();
    size_t room = scratch.size();
    const int code = back.Run(&text, &at, &room);
    total += static_cast<int64_t>(scratch.size() - room);
    if (code != EILSEQ && code != EINVAL) continue;
    if (text.starts_with('\xff') && text.size() > 1 && static_cast<unsigned char>(text[1]) >= 0x80) text.remove_prefix(1);
    text.remove_prefix(1);
    ++total;
  }
  return total;
}

}  // namespace

std::optional<std::string> CanonicalEncoding(std::string_view name) {
  std::string squeezed;
  for (const char c : ToLower(name))
    if (c != '-' && c != '_' && c != ' ' && c != ':') squeezed += c;
  for (const Encoding& encoding : kEncodings)
    if (ToLower(name) == encoding.name || encoding.aliases.find(" " + squeezed + " ") != std::string_view::npos)
      return std::string(encoding.name);
  for (const Encoding& encoding : kEncodings) {
    std::string plain(encoding.name);
    std::erase_if(plain, [](char c) { return c == '-' || c == '_'; });
    if (plain == squeezed) return std::string(encoding.name);
  }
  return std::nullopt;
}

std::vector<std::string> EncodingNames() {
  std::vector<std::string> names;
  for (const Encoding& encoding : kEncodings) names.emplace_back(encoding.name);
  return names;
}

Result<std::string> ParseEncoding(std::string_view name) {
  if (auto known = CanonicalEncoding(name)) return *std::move(known);
  const std::vector<std::string> names = EncodingNames();
  return Fail(UserError("unknown-encoding", fmt::format("there is no encoding \"{}\"{}", name, DidYouMean(ToLower(name), names)))
                  .Hint("one of " + Join(names, ", ")));
}

std::string EncodingOfMark(std::string_view first) {
  if (first.starts_with("\xef\xbb\xbf")) return "utf-8";
  if (first.starts_with(std::string_view("\xff\xfe\0\0", 4))) return "utf-32le";
  if (first.starts_with(std::string_view("\0\0\xfe\xff", 4))) return "utf-32be";
  if (first.starts_with("\xff\xfe")) return "utf-16le";
  if (first.starts_with("\xfe\xff")) return "utf-16be";
  return "";
}

Result<std::unique_ptr<ByteSource>> Transcode(std::unique_ptr<ByteSource> source, const std::string& encoding) {
  if (encoding.empty() || encoding == "utf-8") return source;
  SLUICE_TRY(Transcoder transcoder, Transcoder::Open(encoding));
  return std::make_unique<TranscodedBytes>(std::move(source), std::move(transcoder));
}

Result<std::string> TranscodeText(std::string_view bytes, const std::string& encoding, bool whole) {
  if (encoding.empty() || encoding == "utf-8") return std::string(bytes);
  SLUICE_TRY(Transcoder transcoder, Transcoder::Open(encoding));
  std::string text;
  transcoder.Append(bytes, whole, &text);
  return text;
}

struct SourceSize::Backward {
  Family family;
  std::optional<Conversion> conversion;  // where only the C library knows
};

SourceSize::SourceSize(const std::string& name) {
  const Encoding* encoding = Find(name);
  if (encoding == nullptr || encoding->name == "utf-8") return;
  backward_ = std::make_unique<Backward>(Backward{encoding->family, {}});
  if (encoding->family == Family::kMultiByte) backward_->conversion.emplace(encoding->iconv, "UTF-8");
}
SourceSize::SourceSize(SourceSize&&) noexcept = default;
SourceSize::~SourceSize() = default;

int64_t SourceSize::Of(std::string_view text) {
  if (backward_ == nullptr) return static_cast<int64_t>(text.size());
  if (backward_->conversion) return BytesBack(text, *backward_->conversion);
  const int64_t unit = backward_->family == Family::kUtf16 ? 2 : backward_->family == Family::kUtf32 ? 4 : 1;
  int64_t total = 0;
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    size_t length = LengthOf(lead);
    if (length == 0) length = unit == 1 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) >= 0x80 ? 2 : 1;
    total += unit == 2 && length == 4 ? 4 : unit;
    i += length;
  }
  return total;
}

Result<std::unique_ptr<ByteSource>> OpenText(const ReadRequest& request) {
  SLUICE_TRY(auto bytes, OpenBytes(request));
  return Transcode(std::move(bytes), request.encoding);
}

}  // namespace sluice::formats
