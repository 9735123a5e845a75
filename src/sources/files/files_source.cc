#include "sources/files/files_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "core/text.h"
#include "formats/bytes.h"
#include "formats/content_hash.h"
#include "formats/encoding.h"
#include "formats/format.h"
#include "formats/zip_archive.h"
#include "sources/files/dialect.h"
#include "sources/files/listing.h"
#include "sources/profile.h"
#include "store/remote.h"

namespace sluice::sources {
namespace {

constexpr size_t kSampleBytes = 256 << 10;
constexpr size_t kMagicBytes = 16;  // say how a file is packed

// Dialects of one look: files that begin alike are detected once.
struct KnownDialect {
  std::string sample;
  formats::CsvDialect dialect;
};

class FilesSource : public FileSource {
 public:
  FilesSource(SourceSpec spec, std::unique_ptr<store::ObjectStore> store) : spec_(std::move(spec)), store_(std::move(store)) {
    if (spec_.read.files.starts_with("./")) spec_.read.files.erase(0, 2);
  }

  Result<Offer> Look(const Ledger& ingested, Instant now, bool again) override {
    SLUICE_TRY(const auto listed, store_->List(ListPrefix()));
    const HashOf hash_of = [this](const store::ObjectMeta& object) { return formats::HashObject(*store_, object.key); };
    SLUICE_TRY(Offer offer, Select(listed, spec_.read, ingested, now, hash_of, again));
    Diagnostics wrong;
    std::optional<KnownDialect> known;
    std::vector<InputFile> files;
    for (InputFile& file : offer.files)
      if (Status taken = Take(std::move(file), &offer, &files, &known); !taken) wrong.Add(std::move(taken).error());
    offer.files = std::move(files);
    if (!wrong.ok()) return Fail(std::move(wrong).Take());
    if (offer.files.empty() && offer.unchanged == 0 && offer.waiting == 0 && offer.known.empty())
      offer.warnings.push_back(NothingMatches(offer));
    return offer;
  }

  Result<std::vector<contract::Field>> DetectColumns(const std::vector<InputFile>& files) override {
    return DetectFields(*store_, files, spec_.read.format, spec_.read.options);
  }

  store::ObjectStore& store() override { return *store_; }

 private:
  // A done marker stands beside its file, so that where the glob is a name without a wildcard the folder is listed.
  std::string ListPrefix() const {
    const std::string prefix = GlobPrefix(spec_.read.files);
    return spec_.read.done_marker.empty() ? prefix : prefix.substr(0, prefix.rfind('/') + 1);
  }

  // Its compression and dialect by its first bytes. The members of an archive take its place.
  Status Take(InputFile file, Offer* offer, std::vector<InputFile>* out, std::optional<KnownDialect>* known) {
    const bool text = formats::TraitsOf(spec_.read.format).text, workbook = spec_.read.format == FileFormat::kXlsx;
    SLUICE_TRY(formats::ObjectFront front,
               formats::ReadFront(*store_, file.object, PinnedCompression(), text ? kSampleBytes : kMagicBytes));
    file.compression = front.compression;
    if (workbook && ToLower(file.object.key).ends_with(".xlsx")) file.compression = formats::Compression::kNone;
    if (file.compression == formats::Compression::kZip) {
      SLUICE_TRY(formats::ArchiveListing listing, formats::ListArchive(*store_, file.object, spec_.read.members));
      if (!workbook && IsWorkbook(listing)) return Fail(WrongFormat(file));
      if (!workbook || !IsWorkbook(listing)) return TakeMembers(file, std::move(listing), offer, out, known);
      file.compression = formats::Compression::kNone;
    }
    SLUICE_CHECK(Inspect(&file, std::move(front.sample), known));
    out->push_back(std::move(file));
    return Ok();
  }

  Status TakeMembers(const InputFile& file, formats::ArchiveListing listing, Offer* offer, std::vector<InputFile>* out,
                     std::optional<KnownDialect>* known) {
    if (listing.members.empty()) offer->skipped.push_back({file.object.key, NoMembers(listing)});
    for (formats::ArchiveMember& member : listing.members) {
      InputFile one = file;
      one.name = file.object.key + "/" + member.path;
      one.member = std::move(member);
      SLUICE_TRY(formats::Sample sample, SampleOf(&one));
      SLUICE_CHECK(Inspect(&one, std::move(sample), known));
      out->push_back(std::move(one));
    }
    return Ok();
  }

  static bool IsWorkbook(const formats::ArchiveListing& listing) {
    return std::any_of(listing.members.begin(), listing.members.end(),
                       [](const auto& member) { return member.path == "[Content_Types].xml"; });
  }

  Error WrongFormat(const InputFile& file) const {
    return DataError("wrong-format", fmt::format("{} is an Excel workbook, and is read as {}", store_->Uri(file.object.key),
                                                 formats::TraitsOf(spec_.read.format).name))
        .Hint("write format: xlsx, or have it exported as the text that its name says");
  }

  std::string NoMembers(const formats::ArchiveListing& listing) const {
    if (listing.left_out == 0) return "an archive without any file";
    return fmt::format("an archive without a file to read: {} of its entries are folders, hidden{}", listing.left_out,
                       spec_.read.members.empty() ? "" : fmt::format(", or do not match \"{}\"", spec_.read.members));
  }

  // What a member begins with, and how it is compressed once more.
  Result<formats::Sample> SampleOf(InputFile* file) {
    const formats::FormatTraits& format = formats::TraitsOf(spec_.read.format);
    file->compression = formats::Compression::kNone;
    SLUICE_TRY(formats::Sample sample, formats::ReadSample(RequestOf(*file), format.text ? kSampleBytes : kMagicBytes));
    const formats::Compression found = formats::DetectCompression(file->member.path, sample.bytes);
    if (found == formats::Compression::kZip && !format.packs_itself)
      return Fail(DataError("nested-archive", fmt::format("{} is an archive within an archive", store_->Uri(file->name)))
                      .Hint("unpack the outer one, or leave it out: members: \"*.csv\""));
    if (found == formats::Compression::kZip || found == formats::Compression::kNone) return sample;
    file->compression = found;
    return formats::ReadSample(RequestOf(*file), kSampleBytes);
  }

  formats::ReadRequest RequestOf(const InputFile& file) const {
    formats::ReadRequest request;
    request.store = store_.get();
    request.key = file.object.key;
    request.compression = file.compression;
    request.member = file.member;
    request.options = spec_.read.options;
    return request;
  }

  Status Inspect(InputFile* file, formats::Sample sample, std::optional<KnownDialect>* known) {
    const formats::FormatTraits& format = formats::TraitsOf(spec_.read.format);
    if (format.packs_itself) return CheckUnpacked(*file);
    if (!format.text) return Ok();
    std::vector<std::string>* doubts = spec_.accept_guesses ? &file->doubts : nullptr;
    const std::string uri = store_->Uri(file->name.empty() ? file->object.key : file->name);
    auto encoding = DetectEncoding({sample.bytes, sample.whole, spec_.read.encoding, uri, doubts});
    if (!encoding) return Fail(std::move(encoding).error().At(spec_.read.where));
    file->encoding = *std::move(encoding);
    file->marked = !formats::EncodingOfMark(sample.bytes).empty();
    if (spec_.read.format != FileFormat::kCsv) return Ok();
    SLUICE_TRY(sample.bytes, formats::TranscodeText(sample.bytes, file->encoding, sample.whole));
    if (*known && SameHead((*known)->dialect, (*known)->sample, sample.bytes)) {
      file->csv = (*known)->dialect;
      file->same_header = true;
      return Ok();
    }
    DialectRequest request{sample.bytes, sample.whole, spec_.read.csv, ExpectedNames(), uri, doubts};
    auto dialect = DetectDialect(request);
    if (!dialect) return Fail(std::move(dialect).error().At(spec_.read.where));
    file->csv = *dialect;
    if (!Trim(sample.bytes).empty()) *known = KnownDialect{std::move(sample.bytes), *dialect};
    return Ok();
  }

  std::optional<formats::Compression> PinnedCompression() const {
    const std::string& pinned = spec_.read.compression;
    if (pinned == "auto") return std::nullopt;
    return formats::CompressionNamed(pinned);
  }

  Status CheckUnpacked(const InputFile& file) {
    if (file.compression == formats::Compression::kNone) return Ok();
    const std::string_view name = formats::TraitsOf(spec_.read.format).name;
    return Fail(DataError("unsupported-compression", fmt::format("{} is a file of format {} packed with {}", store_->Uri(file.object.key),
                                                                 name, formats::ToString(file.compression)))
                    .Hint(fmt::format("a file of format {} compresses its own parts: unpack it", name)));
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

Result<std::unique_ptr<FileSource>> OpenFilesSource(const SourceSpec& spec) {
  std::error_code failed;
  if (!store::IsRemote(spec.location) && !std::filesystem::is_directory(spec.location, failed))
    return Fail(UserError("no-such-folder", fmt::format("the connection's folder {} does not exist", spec.location))
                    .At(spec.read.where)
                    .Hint("make it, or mend `path` of the connection in sluice.yml"));
  SLUICE_TRY(auto store, store::OpenStore(spec.location));
  return FilesSourceOver(spec, std::move(store));
}

std::unique_ptr<FileSource> FilesSourceOver(const SourceSpec& spec, std::unique_ptr<store::ObjectStore> store) {
  return std::make_unique<FilesSource>(spec, std::move(store));
}

}  // namespace sluice::sources
