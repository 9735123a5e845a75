#include "sources/files/files_source.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <utility>

#include "core/text.h"
#include "formats/bytes.h"
#include "formats/content_hash.h"
#include "sources/files/dialect.h"
#include "sources/files/listing.h"
#include "sources/profile.h"
#include "store/remote.h"

namespace sluice::sources {
namespace {

constexpr size_t kSampleBytes = 256 << 10;

// Dialects of one look: files that begin alike are detected once.
struct KnownDialect {
  std::string sample;
  formats::CsvDialect dialect;
};

class FilesSource : public Source {
 public:
  FilesSource(SourceSpec spec, std::unique_ptr<store::ObjectStore> store) : spec_(std::move(spec)), store_(std::move(store)) {
    if (spec_.read.files.starts_with("./")) spec_.read.files.erase(0, 2);
  }

  Result<Offer> Look(const Ledger& ingested, Instant now) override {
    SLUICE_TRY(const auto listed, store_->List(ListPrefix()));
    const HashOf hash_of = [this](const store::ObjectMeta& object) { return formats::HashObject(*store_, object.key); };
    SLUICE_TRY(Offer offer, Select(listed, spec_.read, ingested, now, hash_of));
    Diagnostics wrong;
    std::optional<KnownDialect> known;
    for (InputFile& file : offer.files)
      if (Status inspected = Inspect(&file, &known); !inspected) wrong.Add(std::move(inspected).error());
    if (!wrong.ok()) return Fail(std::move(wrong).Take());
    if (offer.files.empty() && offer.unchanged == 0 && offer.waiting == 0 && offer.known.empty())
      offer.warnings.push_back(NothingMatches(offer));
    return offer;
  }

  Result<std::vector<contract::Field>> DetectColumns(const std::vector<InputFile>& files) override {
    return DetectFields(*store_, files, spec_.read.format);
  }

  store::ObjectStore& store() override { return *store_; }

 private:
  // A done marker stands beside its file, so that where the glob is a name without a wildcard the folder is listed.
  std::string ListPrefix() const {
    const std::string prefix = GlobPrefix(spec_.read.files);
    return spec_.read.done_marker.empty() ? prefix : prefix.substr(0, prefix.rfind('/') + 1);
  }

  Status Inspect(InputFile* file, std::optional<KnownDialect>* known) {
    const bool parquet = spec_.read.format == FileFormat::kParquet;
    SLUICE_TRY(formats::ObjectFront front, formats::ReadFront(*store_, file->object, PinnedCompression(), parquet ? 4 : kSampleBytes));
    file->compression = front.compression;
    if (parquet) return CheckParquet(*file);
    formats::Sample& sample = front.sample;
    SLUICE_CHECK(CheckEncoding(sample.bytes, store_->Uri(file->object.key)));
    if (spec_.read.format != FileFormat::kCsv) return Ok();
    if (*known && SameHead((*known)->dialect, (*known)->sample, sample.bytes)) {
      file->csv = (*known)->dialect;
      file->same_header = true;
      return Ok();
    }
    DialectRequest request{sample.bytes, sample.whole, spec_.read.csv, ExpectedNames(), store_->Uri(file->object.key)};
    auto dialect = DetectDialect(request);
    if (!dialect) return Fail(std::move(dialect).error().At(spec_.read.where));
    file->csv = *dialect;
    if (!Trim(sample.bytes).empty()) *known = KnownDialect{std::move(sample.bytes), *dialect};
    return Ok();
  }

  std::optional<formats::Compression> PinnedCompression() const {
    const std::string& pinned = spec_.read.compression;
    if (pinned == "none") return formats::Compression::kNone;
    if (pinned == "gzip") return formats::Compression::kGzip;
    if (pinned == "zstd") return formats::Compression::kZstd;
    return std::nullopt;
  }

  Status CheckParquet(const InputFile& file) {
    if (file.compression == formats::Compression::kNone) return Ok();
    return Fail(DataError("unsupported-compression", fmt::format("{} is a Parquet file packed with {}", store_->Uri(file.object.key),
                                                                 formats::ToString(file.compression)))
                    .Hint("Parquet compresses its own pages: unpack the file"));
  }

  std::vector<std::string> ExpectedNames() const {
    std::vector<std::string> names;
    if (spec_.contract == nullptr) return names;
    for (const contract::ColumnContract& column : spec_.contract->columns) names.push_back(column.from.empty() ? column.name : column.from);
    return names;
  }

  Error NothingMatches(const Offer& offer) const {
    const std::string skipped = offer.skipped.empty() ? "" : fmt::format(" ({} left out: {})", offer.skipped.size(), offer.skipped[0].why);
    return UserError("no-files", fmt::format("no file matches \"{}\" under {}{}", spec_.read.files, store_->Uri(""), skipped))
        .At(spec_.read.where);
  }

  SourceSpec spec_;
  std::unique_ptr<store::ObjectStore> store_;
};

}  // namespace

Result<std::unique_ptr<Source>> OpenFilesSource(const SourceSpec& spec) {
  std::error_code failed;
  if (!store::IsRemote(spec.location) && !std::filesystem::is_directory(spec.location, failed))
    return Fail(UserError("no-such-folder", fmt::format("the connection's folder {} does not exist", spec.location))
                    .At(spec.read.where)
                    .Hint("make it, or mend `path` of the connection in sluice.yml"));
  SLUICE_TRY(auto store, store::OpenStore(spec.location));
  return FilesSourceOver(spec, std::move(store));
}

std::unique_ptr<Source> FilesSourceOver(const SourceSpec& spec, std::unique_ptr<store::ObjectStore> store) {
  return std::make_unique<FilesSource>(spec, std::move(store));
}

}  // namespace sluice::sources
