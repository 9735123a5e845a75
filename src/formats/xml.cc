#include "formats/xml.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "core/text.h"
#include "formats/cut_record.h"
#include "formats/json_lines_block.h"
#include "formats/json_text.h"
#include "formats/new_json_fields.h"
#include "formats/xml_record.h"

namespace sluice::formats {
namespace {

constexpr size_t kMaxSeen = 8;      // other elements that a message names
constexpr size_t kNodeBytes = 200;  // what an element takes in memory beside its texts

// Gathers the elements of each record, and gives the record when it ends.
class RecordGatherer : public XmlListener {
 public:
  RecordGatherer(const ReadRequest& request, const FieldShape* shape, JsonLines* out)
      : path_(Split(request.options.record, '/')), max_(static_cast<size_t>(request.max_record_bytes)), shape_(shape), out_(out) {}

  void Watch(const XmlFeed& feed) { feed_ = &feed; }
  int64_t records() const { return records_; }
  const std::vector<std::string>& others() const { return others_; }

  void Start(std::string_view name, const std::vector<XmlAttribute>& attributes) override {
    if (open_.empty()) {
      outside_.emplace_back(name);
      if (!IsRecord()) return Note(name);
      line_ = feed_->line();
      offset_ = feed_->offset();
      record_ = std::make_unique<XmlNode>();
      record_->name = name;
      bytes_ = 0;
      open_ = {record_.get()};
    } else {
      ++depth_below_cut_;
      if (TooLong(name.size() + kNodeBytes)) return;
      --depth_below_cut_;
      auto child = std::make_unique<XmlNode>();
      child->name = name;
      open_.back()->children.push_back(std::move(child));
      open_.push_back(open_.back()->children.back().get());
    }
    for (const XmlAttribute& a : attributes) Add(a);
  }

  void End(std::string_view) override {
    if (open_.empty()) {
      outside_.pop_back();
      return;
    }
    if (depth_below_cut_ > 0) {
      --depth_below_cut_;
      return;
    }
    open_.pop_back();
    if (!open_.empty()) return;
    outside_.pop_back();
    EndRecord();
  }

  void Text(std::string_view text) override {
    if (!open_.empty() && !TooLong(text.size())) open_.back()->text += text;
  }

 private:
  void Add(const XmlAttribute& a) {
    if (TooLong(a.name.size() + a.value.size() + kNodeBytes)) return;
    if (a.name == kXsiNil)
      open_.back()->nil = Trim(a.value) == "true" || Trim(a.value) == "1";
    else
      open_.back()->attributes.emplace_back(a.name, a.value);
  }
  bool IsRecord() const {
    if (path_.size() > outside_.size()) return false;
    return std::equal(path_.rbegin(), path_.rend(), outside_.rbegin());
  }
  void Note(std::string_view name) {
    if (others_.size() < kMaxSeen && std::find(others_.begin(), others_.end(), name) == others_.end()) others_.emplace_back(name);
  }
  bool TooLong(size_t more) {
    bytes_ += more;
    return bytes_ > max_;
  }
  void EndRecord() {
    ++records_;
    std::string json = JsonOfXml(*record_, shape_);
    LineBlock::Wrong wrong;
    if (bytes_ > max_) {
      json.resize(KeptOfCutRecord(json));
      wrong = {"length", CutRecordMessage(static_cast<int64_t>(max_))};
    }
    out_->Add(json, line_, offset_, std::move(wrong));
    record_.reset();
  }

  std::vector<std::string> path_, outside_, others_;
  size_t max_;
  const FieldShape* shape_;
  JsonLines* out_;
  const XmlFeed* feed_ = nullptr;
  std::unique_ptr<XmlNode> record_;
  std::vector<XmlNode*> open_;
  int64_t depth_below_cut_ = 0;  // elements that are open but not kept
  size_t bytes_ = 0;
  int64_t records_ = 0, line_ = 0, offset_ = 0;
};

// Whole records of the file, as JSON lines.
class XmlRecords {
 public:
  static Result<std::unique_ptr<XmlRecords>> Open(const ReadRequest& request, std::shared_ptr<const FieldShape> shape) {
    if (request.options.record.empty())
      return Fail(UserError("missing-key", fmt::format("which element of {} is a record?", NameOf(request)))
                      .Hint("say it in `read`: record: order"));
    SLUICE_TRY(auto bytes, OpenBytes(request));
    return std::make_unique<XmlRecords>(request, std::move(shape), std::move(bytes));
  }

  XmlRecords(const ReadRequest& request, std::shared_ptr<const FieldShape> shape, std::unique_ptr<ByteSource> bytes)
      : request_(request),
        shape_(std::move(shape)),
        gatherer_(request_, shape_.get(), &lines_),
        feed_(std::move(bytes), gatherer_, NameOf(request)) {
    gatherer_.Watch(feed_);
  }

  // Null at the end.
  Result<std::unique_ptr<LineBlock>> Next() {
    while (lines_.bytes() < static_cast<size_t>(request_.block_bytes)) {
      SLUICE_TRY(const bool more, feed_.Step());
      if (more) continue;
      if (gatherer_.records() == 0 && gatherer_.others().size() > 1) return Fail(NoSuchRecord());
      break;
    }
    return lines_.Take();
  }

 private:
  Error NoSuchRecord() const {
    return DataError("no-such-record", fmt::format("{} has no element {}; it has {}", NameOf(request_), request_.options.record,
                                                   Join(gatherer_.others(), ", ")))
        .Hint("say in `read` which element is a record: record: NAME");
  }

  ReadRequest request_;
  std::shared_ptr<const FieldShape> shape_;
  JsonLines lines_;
  RecordGatherer gatherer_;
  XmlFeed feed_;
};

class XmlReader : public RecordReader {
 public:
  XmlReader(std::unique_ptr<XmlRecords> records, std::shared_ptr<const FieldShape> shape, int64_t max_record_bytes)
      : records_(std::move(records)), shape_(std::move(shape)), max_record_bytes_(max_record_bytes) {}
  Result<std::unique_ptr<RawBlock>> Next() override {
    SLUICE_TRY(auto block, records_->Next());
    if (block == nullptr) return std::unique_ptr<RawBlock>();
    return JsonBlock(std::move(block), shape_, max_record_bytes_);
  }

 private:
  std::unique_ptr<XmlRecords> records_;
  std::shared_ptr<const FieldShape> shape_;
  int64_t max_record_bytes_;
};

constexpr int64_t kLookBytes = 4 << 20;

constexpr size_t kMaxPaths = 10'000;   // that are counted: a file's records are seen before
constexpr size_t kLongestPath = 1000;  // bytes; of a longer one the beginning stands for all of it

// How often each path of elements occurs, and whether it has fields.
class PathCounter : public XmlListener {
 public:
  void Start(std::string_view name, const std::vector<XmlAttribute>& attributes) override {
    if (!open_.empty())
      if (Seen* above = Find(open_.back())) above->fields = true;
    std::string path = open_.empty() ? "" : open_.back() + "/";
    path.append(name).resize(std::min(path.size(), kLongestPath));
    if (Seen* seen = Find(path)) {
      seen->depth = open_.size();
      ++seen->count;
      seen->fields |= std::any_of(attributes.begin(), attributes.end(), [](const XmlAttribute& a) { return a.name != kXsiNil; });
    }
    open_.push_back(std::move(path));
  }
  void End(std::string_view) override { open_.pop_back(); }
  void Text(std::string_view) override {}

  std::string Record() const {
    const std::pair<const std::string, Seen>* best = nullptr;
    for (const auto& one : seen_) {
      if (one.second.depth == 0 || !one.second.fields) continue;
      if (best == nullptr || Better(one.second, best->second)) best = &one;
    }
    return best == nullptr ? "" : best->first.substr(best->first.rfind('/') + 1);
  }

 private:
  struct Seen {
    size_t depth = 0;
    int64_t count = 0;
    bool fields = false;
  };
  // Null: one path too many.
  Seen* Find(const std::string& path) {
    const auto found = seen_.find(path);
    if (found != seen_.end()) return &found->second;
    return seen_.size() < kMaxPaths ? &seen_[path] : nullptr;
  }
  static bool Better(const Seen& a, const Seen& b) {
    if ((a.count > 1) != (b.count > 1)) return a.count > 1;
    return a.depth != b.depth ? a.depth < b.depth : a.count > b.count;
  }
  std::map<std::string, Seen> seen_;
  std::vector<std::string> open_;
};

}  // namespace

Result<std::string> DetectRecordElement(const ReadRequest& request) {
  SLUICE_TRY(auto bytes, OpenBytes(request));
  PathCounter counter;
  XmlFeed feed(std::move(bytes), counter, NameOf(request));
  while (feed.offset() < kLookBytes) {
    SLUICE_TRY(const bool more, feed.Step());
    if (!more) break;
  }
  return counter.Record();
}

Result<std::unique_ptr<RecordReader>> OpenXml(const ReadRequest& request) {
  SLUICE_TRY(FieldShape made, ShapeOf(request));
  auto shape = std::make_shared<const FieldShape>(std::move(made));
  SLUICE_TRY(auto records, XmlRecords::Open(request, shape));
  return std::make_unique<XmlReader>(std::move(records), std::move(shape), request.max_record_bytes);
}

Result<std::vector<contract::Field>> NewXmlColumns(const ReadRequest& request) {
  if (request.contract->on_new_column != contract::OnNewColumn::kEvolve) return std::vector<contract::Field>();
  SLUICE_TRY(const auto records, XmlRecords::Open(request, nullptr));
  NewJsonFields fields(request);
  while (true) {
    SLUICE_TRY(const auto block, records->Next());
    if (block == nullptr) return std::move(fields).Take();
    fields.Look(*block);
  }
}

}  // namespace sluice::formats
