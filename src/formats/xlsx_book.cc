#include "formats/xlsx_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "core/text.h"
#include "formats/xml_feed.h"

namespace sluice::formats {
namespace {

std::string_view ValueOf(const std::vector<XmlAttribute>& attributes, std::string_view name) {
  for (const XmlAttribute& attribute : attributes)
    if (attribute.name == name) return attribute.value;
  return {};
}

int NumberOf(const std::vector<XmlAttribute>& attributes, std::string_view name) {
  const std::string_view text = ValueOf(attributes, name);
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

bool IsTrue(std::string_view text) { return text == "1" || text == "true"; }

// What a part may bring into memory: more than Excel itself takes.
class Allowance {
 public:
  // One more thing, of so many bytes of text. False: it is too much, and not to be kept.
  bool Take(size_t text_bytes = 0) {
    bytes_ += text_bytes;
    return ++count_ <= kMostThings && bytes_ <= kMostBytes;
  }
  bool exceeded() const { return count_ > kMostThings || bytes_ > kMostBytes; }

 private:
  static constexpr size_t kMostThings = 64 << 10, kMostBytes = 16 << 20;
  size_t count_ = 0, bytes_ = 0;
};

struct Sheet {
  std::string name, relation;
  bool hidden = false;
};

// xl/workbook.xml
class BookListener : public XmlListener {
 public:
  void Start(std::string_view name, const std::vector<XmlAttribute>& attributes) override {
    if (name == "workbookPr") since_1904 = IsTrue(ValueOf(attributes, "date1904"));
    if (name != "sheet") return;
    const std::string_view sheet = ValueOf(attributes, "name"), id = ValueOf(attributes, "id"), state = ValueOf(attributes, "state");
    if (allowance.Take(sheet.size() + id.size()))
      sheets.push_back({std::string(sheet), std::string(id), state == "hidden" || state == "veryHidden"});
  }
  void End(std::string_view) override {}
  void Text(std::string_view) override {}

  Allowance allowance;
  std::vector<Sheet> sheets;
  bool since_1904 = false;
};

// xl/_rels/workbook.xml.rels
class RelationListener : public XmlListener {
 public:
  void Start(std::string_view name, const std::vector<XmlAttribute>& attributes) override {
    if (name != "Relationship") return;
    const std::string_view id = ValueOf(attributes, "Id"), type = ValueOf(attributes, "Type"), target = ValueOf(attributes, "Target");
    if (!allowance.Take(id.size() + target.size())) return;
    targets[std::string(id)] = target;
    if (type.ends_with("/styles")) styles = target;
    if (type.ends_with("/sharedStrings")) texts = target;
  }
  void End(std::string_view) override {}
  void Text(std::string_view) override {}

  Allowance allowance;
  std::map<std::string, std::string> targets;  // by Id
  std::string styles, texts;                   // targets; "": none
};

// xl/styles.xml: the formats of the book, and which of them a cell's style has.
class StyleListener : public XmlListener {
 public:
  void Start(std::string_view name, const std::vector<XmlAttribute>& attributes) override {
    if (name == "numFmt" && allowance.Take()) codes_[NumberOf(attributes, "numFmtId")] = StyleOfCode(ValueOf(attributes, "formatCode"));
    if (name == "cellXfs") in_cells_ = true;
    if (name != "xf" || !in_cells_ || !allowance.Take()) return;
    const int id = NumberOf(attributes, "numFmtId");
    const auto own = codes_.find(id);
    styles.push_back(own != codes_.end() ? own->second : StyleOfBuiltIn(id));
  }
  void End(std::string_view name) override { in_cells_ = in_cells_ && name != "cellXfs"; }
  void Text(std::string_view) override {}

  Allowance allowance;
  std::vector<NumberStyle> styles;

 private:
  std::map<int, NumberStyle> codes_;
  bool in_cells_ = false;
};

// xl/sharedStrings.xml: the runs of a rich text are one; how it is pronounced is no part of it.
class TextListener : public XmlListener {
 public:
  TextListener(SharedTexts* out, size_t most) : out_(out), most_(most) {}
  void Start(std::string_view name, const std::vector<XmlAttribute>&) override {
    spoken_ |= name == "rPh";
    in_text_ = name == "t" && !spoken_;
    if (name == "si") text_.clear();
  }
  void End(std::string_view name) override {
    in_text_ = false;
    if (name == "rPh") spoken_ = false;
    if (name != "si" || too_many()) return;
    out_->Append(WithoutEscapes(text_));
    out_->EndText();
  }
  void Text(std::string_view text) override {
    if (in_text_ && text_.size() + text.size() <= most_) text_ += text;
  }
  bool too_many() const { return out_->bytes() + text_.size() >= most_; }

 private:
  SharedTexts* out_;
  size_t most_;
  std::string text_;
  bool in_text_ = false, spoken_ = false;
};

class BookOpener {
 public:
  explicit BookOpener(const ReadRequest& request) : request_(request), uri_(NameOf(request)) {}

  Result<std::shared_ptr<const Workbook>> Open() {
    SLUICE_TRY(object_, ObjectOf(request_));
    auto listing = ListArchive(*request_.store, object_, "");
    if (!listing) return Fail(WhyNoArchive(std::move(listing).error()));
    for (ArchiveMember& member : listing->members) parts_[ToLower(member.path)] = std::move(member);
    auto book = std::make_shared<Workbook>();
    book->object = object_;
    SLUICE_TRY(const ArchiveMember main, Main());
    const size_t slash = main.path.rfind('/');
    folder_ = slash == std::string::npos ? "" : main.path.substr(0, slash + 1);
    BookListener listener;
    SLUICE_CHECK(ParseAllowed(main, "sheets", &listener));
    book->since_1904 = listener.since_1904;
    SLUICE_TRY(const Sheet sheet, Choose(listener.sheets));
    SLUICE_CHECK(ReadRelations(main));
    book->sheet = sheet.name;
    SLUICE_TRY(book->sheet_part, PartOf(sheet));
    SLUICE_CHECK(ReadShared(book.get()));
    return std::shared_ptr<const Workbook>(std::move(book));
  }

 private:
  Error WhyNoArchive(Error error) const {
    if (error.kind != ErrorKind::kData) return error;
    const auto first = request_.store->GetRange(request_.key, 0, 4);
    const bool old = first && *first == "\xd0\xcf\x11\xe0";
    return DataError("corrupt-file", old ? fmt::format("{} is a workbook with a password, or of the old kind (.xls)", uri_)
                                         : fmt::format("{} is no readable workbook: {}", uri_, error.message))
        .Hint(old ? "save it as .xlsx, without a password" : "ask for the file again");
  }

  Error NoPart(const std::string& what) const {
    return DataError("corrupt-file", fmt::format("{} is no readable workbook: it has no {}", uri_, what)).Hint("ask for the file again");
  }

  const ArchiveMember* Find(const std::string& path) const {
    const auto found = parts_.find(ToLower(path));
    return found == parts_.end() ? nullptr : &found->second;
  }

  Result<ArchiveMember> Main() const {
    for (const auto& [path, member] : parts_)
      if (path == "workbook.xml" || path.ends_with("/workbook.xml")) return member;
    return Fail(NoPart("workbook.xml"));
  }

  Result<Sheet> Choose(const std::vector<Sheet>& sheets) const {
    std::vector<std::string> names, shown;
    for (const Sheet& sheet : sheets) {
      names.push_back(sheet.name);
      if (!sheet.hidden) shown.push_back(sheet.name);
    }
    const std::string& wanted = request_.options.xlsx.sheet;
    for (const Sheet& sheet : sheets)
      if (wanted.empty() ? (!sheet.hidden && shown.size() == 1) : EqualsIgnoreCase(sheet.name, wanted)) return sheet;
    if (!wanted.empty())
      return Fail(DataError("no-such-sheet", fmt::format("{} has no sheet \"{}\"{}", uri_, wanted, DidYouMean(wanted, names)))
                      .Hint("it has " + Join(names, ", ")));
    if (shown.empty()) return Fail(NoPart("sheet that is shown"));
    return Fail(DataError("unsure-sheet", fmt::format("{} has {} sheets: {}", uri_, shown.size(), Join(shown, ", ")))
                    .Hint(fmt::format("pin one in the source's `read`: sheet: {}", shown.front())));
  }

  template <typename Listener>
  Status ParseAllowed(const ArchiveMember& part, const char* things, Listener* listener) const {
    SLUICE_CHECK(ParsePart(*request_.store, object_, part, *listener));
    if (!listener->allowance.exceeded()) return Ok();
    return Fail(
        DataError("corrupt-file", fmt::format("{} is no readable workbook: {} has more {} than Excel takes", uri_, part.path, things))
            .Hint("ask for the file again"));
  }

  Status ReadRelations(const ArchiveMember& main) {
    const std::string name = main.path.substr(folder_.size());
    const ArchiveMember* part = Find(folder_ + "_rels/" + name + ".rels");
    if (part == nullptr) return Fail(NoPart(name + ".rels"));
    return ParseAllowed(*part, "relations", &relations_);
  }

  // Null: there is none.
  const ArchiveMember* FindTarget(const std::string& target) const {
    return target.empty() ? nullptr : Find(target.starts_with('/') ? target.substr(1) : folder_ + target);
  }
  const ArchiveMember* FindTarget(const std::string& target, const std::string& usual_name) const {
    const ArchiveMember* part = FindTarget(target);
    return part != nullptr ? part : Find(folder_ + usual_name);
  }

  Result<ArchiveMember> PartOf(const Sheet& sheet) const {
    const auto target = relations_.targets.find(sheet.relation);
    const ArchiveMember* part = target == relations_.targets.end() ? nullptr : FindTarget(target->second);
    if (part == nullptr) return Fail(NoPart(fmt::format("part for the sheet \"{}\"", sheet.name)));
    return *part;
  }

  // Without its styles a date would be a number; a text that is missing is told by each cell that names it.
  Status ReadShared(Workbook* book) const {
    if (const ArchiveMember* styles = FindTarget(relations_.styles, "styles.xml")) {
      StyleListener listener;
      SLUICE_CHECK(ParseAllowed(*styles, "formats", &listener));
      book->styles = std::move(listener.styles);
    } else if (!relations_.styles.empty()) {
      return Fail(NoPart(relations_.styles));
    }
    const ArchiveMember* texts = FindTarget(relations_.texts, "sharedStrings.xml");
    if (texts == nullptr) return Ok();
    const auto most = static_cast<size_t>(4 * request_.max_record_bytes);
    TextListener listener(&book->texts, most);
    SLUICE_CHECK(ParsePart(*request_.store, object_, *texts, listener));
    if (!listener.too_many()) return Ok();
    return Fail(DataError("xlsx-too-large", fmt::format("the texts of {} take more than {}", uri_, FormatBytes(static_cast<int64_t>(most))))
                    .Hint("give it more memory (--memory), or have it delivered as CSV"));
  }

  const ReadRequest& request_;
  store::ObjectMeta object_;
  std::string uri_, folder_;
  std::map<std::string, ArchiveMember> parts_;  // by path in lower-case letters
  RelationListener relations_;
};

}  // namespace

Status ParsePart(store::ObjectStore& store, const store::ObjectMeta& object, const ArchiveMember& part, XmlListener& listener) {
  SLUICE_TRY(auto bytes, OpenMember(store, object, part));
  XmlFeed feed(std::move(bytes), listener, store.Uri(object.key) + "/" + part.path);
  while (true) {
    SLUICE_TRY(const bool more, feed.Step());
    if (!more) return Ok();
  }
}

Result<std::shared_ptr<const Workbook>> OpenWorkbook(const ReadRequest& request) { return BookOpener(request).Open(); }

}  // namespace sluice::formats
