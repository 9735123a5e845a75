#include "delta/action_reader.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cstring>

namespace sluice::delta {
namespace {

namespace ondemand = simdjson::ondemand;

// simdjson's errors are thrown inside this file and caught in ForEachLine, the edge to the library.

// A string, or the text of a number or boolean where a careless writer left out the quotes.
std::string_view TextOf(ondemand::value value) {
  if (value.type() == ondemand::json_type::string) return value.get_string();
  std::string_view token = value.raw_json_token();
  while (!token.empty() && std::strchr(" \t\r\n", token.back()) != nullptr) token.remove_suffix(1);
  return token;
}

std::string String(ondemand::value value) { return std::string(std::string_view(value.get_string())); }
int64_t Int(ondemand::value value) { return value.get_int64(); }
int32_t Int32(ondemand::value value) {
  const int64_t wide = Int(value);
  if (wide < INT32_MIN || wide > INT32_MAX) throw simdjson::simdjson_error(simdjson::NUMBER_OUT_OF_RANGE);
  return static_cast<int32_t>(wide);
}
bool Bool(ondemand::value value) { return value.get_bool(); }

// Calls visit(key, value) for every field that is not null.
template <typename Visit>
void ForEachField(ondemand::object object, Visit visit) {
  for (auto field : object) {
    const std::string_view key = field.unescaped_key();
    ondemand::value value = field.value();
    if (!value.is_null()) visit(key, value);
  }
}

PartitionValues ReadPartitionValues(ondemand::value value) {
  PartitionValues values;
  for (auto field : ondemand::object(value.get_object())) {
    std::optional<std::string>& slot = values[std::string(std::string_view(field.unescaped_key()))];
    ondemand::value text = field.value();
    slot.reset();
    if (text.is_null()) continue;
    if (const std::string_view view = TextOf(text); !view.empty()) slot = view;  // an empty value is NULL
  }
  return values;
}

std::map<std::string, std::string> ReadMap(ondemand::value value) {
  std::map<std::string, std::string> map;
  ForEachField(value.get_object(), [&](std::string_view key, ondemand::value text) { map[std::string(key)] = TextOf(text); });
  return map;
}

std::vector<std::string> ReadStrings(ondemand::value value) {
  std::vector<std::string> strings;
  for (auto item : ondemand::array(value.get_array())) strings.push_back(String(item.value()));
  return strings;
}

std::set<std::string> ReadFeatures(ondemand::value value) {
  auto names = ReadStrings(value);
  return {std::make_move_iterator(names.begin()), std::make_move_iterator(names.end())};
}

void ReadDeletionVector(ondemand::value value, DeletionVector* out) {
  DeletionVector& dv = *out;
  ForEachField(value.get_object(), [&](std::string_view key, ondemand::value field) {
    if (key == "storageType")
      dv.storage_type = String(field);
    else if (key == "pathOrInlineDv")
      dv.path_or_inline = String(field);
    else if (key == "offset")
      dv.offset = Int32(field);
    else if (key == "sizeInBytes")
      dv.size_in_bytes = Int32(field);
    else if (key == "cardinality")
      dv.cardinality = Int(field);
  });
}

void ReadAdd(ondemand::value value, Add* out) {
  Add& add = *out;
  ForEachField(value.get_object(), [&](std::string_view key, ondemand::value field) {
    if (key == "path")
      add.path = String(field);
    else if (key == "partitionValues")
      add.partition_values = ReadPartitionValues(field);
    else if (key == "size")
      add.size = Int(field);
    else if (key == "modificationTime")
      add.modification_time = Int(field);
    else if (key == "dataChange")
      add.data_change = Bool(field);
    else if (key == "stats")
      add.stats = String(field);
    else if (key == "tags")
      add.tags = ReadMap(field);
    else if (key == "deletionVector")
      ReadDeletionVector(field, &add.deletion_vector.emplace());
    else if (key == "baseRowId")
      add.base_row_id = Int(field);
    else if (key == "defaultRowCommitVersion")
      add.default_row_commit_version = Int(field);
    else if (key == "clusteringProvider")
      add.clustering_provider = String(field);
  });
}

void ReadRemove(ondemand::value value, Remove* out) {
  Remove& remove = *out;
  ForEachField(value.get_object(), [&](std::string_view key, ondemand::value field) {
    if (key == "path")
      remove.path = String(field);
    else if (key == "deletionTimestamp")
      remove.deletion_timestamp = Int(field);
    else if (key == "dataChange")
      remove.data_change = Bool(field);
    else if (key == "extendedFileMetadata")
      remove.extended_file_metadata = Bool(field);
    else if (key == "partitionValues")
      remove.partition_values = ReadPartitionValues(field);
    else if (key == "size")
      remove.size = Int(field);
    else if (key == "deletionVector")
      ReadDeletionVector(field, &remove.deletion_vector.emplace());
  });
}

void ReadMetadata(ondemand::value value, Metadata* out) {
  Metadata& metadata = *out;
  ForEachField(value.get_object(), [&](std::string_view key, ondemand::value field) {
    if (key == "id")
      metadata.id = String(field);
    else if (key == "name")
      metadata.name = String(field);
    else if (key == "description")
      metadata.description = String(field);
    else if (key == "schemaString")
      metadata.schema_string = String(field);
    else if (key == "partitionColumns")
      metadata.partition_columns = ReadStrings(field);
    else if (key == "configuration")
      metadata.configuration = ReadMap(field);
    else if (key == "createdTime")
      metadata.created_time = Int(field);
    else if (key == "format")
      ForEachField(field.get_object(), [&](std::string_view name, ondemand::value item) {
        if (name == "provider") metadata.format_provider = String(item);
      });
  });
}

void ReadProtocol(ondemand::value value, Protocol* out) {
  Protocol& protocol = *out;
  ForEachField(value.get_object(), [&](std::string_view key, ondemand::value field) {
    if (key == "minReaderVersion")
      protocol.min_reader_version = Int32(field);
    else if (key == "minWriterVersion")
      protocol.min_writer_version = Int32(field);
    else if (key == "readerFeatures")
      protocol.reader_features = ReadFeatures(field);
    else if (key == "writerFeatures")
      protocol.writer_features = ReadFeatures(field);
  });
}

void ReadTxn(ondemand::value value, Txn* out) {
  Txn& txn = *out;
  ForEachField(value.get_object(), [&](std::string_view key, ondemand::value field) {
    if (key == "appId")
      txn.app_id = String(field);
    else if (key == "version")
      txn.version = Int(field);
    else if (key == "lastUpdated")
      txn.last_updated = Int(field);
  });
}

void ReadDomain(ondemand::value value, DomainMetadata* out) {
  DomainMetadata& domain = *out;
  ForEachField(value.get_object(), [&](std::string_view key, ondemand::value field) {
    if (key == "domain")
      domain.domain = String(field);
    else if (key == "configuration")
      domain.configuration = String(field);
    else if (key == "removed")
      domain.removed = Bool(field);
  });
}

void ReadCdc(ondemand::value value, CdcFile* out) {
  CdcFile& cdc = *out;
  ForEachField(value.get_object(), [&](std::string_view key, ondemand::value field) {
    if (key == "path")
      cdc.path = String(field);
    else if (key == "partitionValues")
      cdc.partition_values = ReadPartitionValues(field);
    else if (key == "size")
      cdc.size = Int(field);
    else if (key == "tags")
      cdc.tags = ReadMap(field);
  });
}

void ReadSidecar(ondemand::value value, Sidecar* out) {
  Sidecar& sidecar = *out;
  ForEachField(value.get_object(), [&](std::string_view key, ondemand::value field) {
    if (key == "path") sidecar.path = String(field);
  });
}

// A fresh action of this kind in `line`, to be filled where it lies.
template <typename Body>
Body* Begin(std::optional<LogLine>* line) {
  return &std::get<Body>(std::get<Action>(line->emplace(std::in_place_type<Action>, std::in_place_type<Body>)));
}

void ReadLine(ondemand::object object, std::optional<LogLine>* line) {
  ForEachField(object, [&](std::string_view kind, ondemand::value body) {
    if (kind == "add")
      ReadAdd(body, Begin<Add>(line));
    else if (kind == "remove")
      ReadRemove(body, Begin<Remove>(line));
    else if (kind == "metaData")
      ReadMetadata(body, Begin<Metadata>(line));
    else if (kind == "protocol")
      ReadProtocol(body, Begin<Protocol>(line));
    else if (kind == "txn")
      ReadTxn(body, Begin<Txn>(line));
    else if (kind == "domainMetadata")
      ReadDomain(body, Begin<DomainMetadata>(line));
    else if (kind == "cdc")
      ReadCdc(body, Begin<CdcFile>(line));
    else if (kind == "sidecar")
      ReadSidecar(body, &std::get<Sidecar>(line->emplace(std::in_place_type<Sidecar>)));
    else if (kind == "commitInfo")
      Begin<CommitInfo>(line)->json = std::string_view(ondemand::object(body.get_object()).raw_json());
  });
}

// What a line must have to mean anything. "" if it has.
std::string MissingField(const LogLine& line) {
  const auto* action = std::get_if<Action>(&line);
  if (action == nullptr) return std::get<Sidecar>(line).path.empty() ? "sidecar without a path" : "";
  if (const auto* add = std::get_if<Add>(action); add && add->path.empty()) return "add without a path";
  if (const auto* remove = std::get_if<Remove>(action); remove && remove->path.empty()) return "remove without a path";
  if (const auto* txn = std::get_if<Txn>(action); txn && txn->app_id.empty()) return "txn without an appId";
  if (const auto* domain = std::get_if<DomainMetadata>(action); domain && domain->domain.empty()) return "domainMetadata without a domain";
  return "";
}

bool IsBlank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

// A commit file being read: simdjson reads past the end of what it parses, so the text is followed by its padding.
class Lines {
 public:
  explicit Lines(std::string text) : text_(std::move(text)), size_(text_.size()) { text_.append(simdjson::SIMDJSON_PADDING, '\0'); }

  size_t size() const { return size_; }
  size_t EndOf(size_t begin) const { return std::min(text_.find('\n', begin), size_); }
  // Of the line that ends at `end`.
  size_t BeginOf(size_t end) const {
    if (end == 0) return 0;
    const void* newline = memrchr(text_.data(), '\n', end);
    return newline ? static_cast<size_t>(static_cast<const char*>(newline) - text_.data()) + 1 : 0;
  }

  Status Take(size_t begin, size_t end, const TakeLine& take) {
    const std::string_view line(text_.data() + begin, end - begin);
    if (IsBlank(line)) return Ok();
    try {
      ondemand::document document = parser_.iterate(line.data(), line.size(), line.size() + simdjson::SIMDJSON_PADDING);
      line_.reset();
      ReadLine(document.get_object(), &line_);
      if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) return Fail(Broken(begin, ": text after the action"));
      if (!line_) return Ok();
      if (const auto missing = MissingField(*line_); !missing.empty()) return Fail(Broken(begin, ": " + missing));
      take(std::move(*line_));
      return Ok();
    } catch (const simdjson::simdjson_error& error) {
      return Fail(Broken(begin, fmt::format(" is no action: {}", error.what())));
    }
  }

 private:
  Error Broken(size_t begin, const std::string& what) const {
    return BadLog(fmt::format("line {}{}", 1 + std::count(text_.begin(), text_.begin() + static_cast<ptrdiff_t>(begin), '\n'), what));
  }

  std::string text_;
  const size_t size_;
  ondemand::parser parser_;
  std::optional<LogLine> line_;  // the room of the one being read
};

}  // namespace

Status ForEachLine(std::string text, const TakeLine& take) {
  Lines lines(std::move(text));
  for (size_t begin = 0; begin < lines.size();) {
    const size_t end = lines.EndOf(begin);
    SLUICE_CHECK(lines.Take(begin, end, take));
    begin = end + 1;
  }
  return Ok();
}

Status ForEachLineBackwards(std::string text, const TakeLine& take) {
  Lines lines(std::move(text));
  for (size_t end = lines.size();;) {
    const size_t begin = lines.BeginOf(end);
    SLUICE_CHECK(lines.Take(begin, end, take));
    if (begin == 0) return Ok();
    end = begin - 1;
  }
}

Result<std::vector<Action>> ParseCommit(std::string_view text) {
  std::vector<Action> actions;
  SLUICE_CHECK(ForEachLine(std::string(text), [&](LogLine&& line) {
    if (auto* action = std::get_if<Action>(&line)) actions.push_back(std::move(*action));
  }));
  return actions;
}

Result<std::optional<Action>> ParseAction(std::string_view json_line) {
  SLUICE_TRY(auto actions, ParseCommit(json_line));
  if (actions.size() > 1) return Fail(BadLog("more than one line where one action was expected"));
  if (actions.empty()) return std::optional<Action>();
  return std::optional<Action>(std::move(actions.front()));
}

Error BadLog(std::string message) {
  return Error{ErrorKind::kUnsupported, "bad-delta-log", std::move(message)}.Hint(
      "the table's _delta_log is damaged: put it back from a backup, or remove the table's folder and build it anew with "
      "sluice run -s TABLE+ --full-refresh (a source also needs --reload-sources)");
}

}  // namespace sluice::delta
