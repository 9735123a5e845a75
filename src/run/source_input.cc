#include "run/source_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/counted.h"

namespace sluice::run {
namespace {

constexpr size_t kNamed = 20;  // of what is left out; the others are counted

// Names of a list that may be long.
class Few {
 public:
  void Add(std::string note) {
    if (notes_.size() < kNamed) notes_.push_back(std::move(note));
    ++all_;
  }
  std::vector<std::string> Take(const char* rest) {
    const auto more = static_cast<int64_t>(all_ - notes_.size());
    if (more > 0) notes_.push_back(fmt::format("{} more {}", Counted(more, "file"), rest));
    return std::move(notes_);
  }

 private:
  std::vector<std::string> notes_;
  size_t all_ = 0;
};

void Append(std::vector<std::string>&& more, std::vector<std::string>* notes) {
  notes->insert(notes->end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

Result<std::unique_ptr<sources::FileSource>> OpenInput(const project::Source& source) {
  sources::SourceSpec spec;
  spec.connection_type = source.connection.type;
  spec.location = source.connection.path;
  spec.read = source.read;
  if (source.load == project::Load::kFull) {  // a snapshot's file is expected to change
    spec.read.on_changed_file = sources::OnChangedFile::kIngest;
    spec.read.on_renamed_file = spec.read.on_copied_file = sources::OnKnownContents::kIngest;
  }
  spec.contract = source.contract.declared ? &source.contract : nullptr;
  return sources::OpenSource(spec);
}

bool GivesRows(const project::Source& source) { return sources::GivesRows(source.connection.type); }

Result<std::unique_ptr<sources::RowSource>> OpenRows(const project::Source& source, const std::string& scratch_dir,
                                                     const std::atomic<bool>* cancel) {
  sources::SourceSpec spec;
  spec.connection_type = source.connection.type;
  spec.rows = source.rows;
  spec.cancel = cancel;
  spec.scratch_dir = scratch_dir;
  spec.location = source.connection.root;
  SLUICE_TRY(spec.peer, project::ResolvePeer(source.connection));
  return sources::OpenRowSource(spec);
}

std::string InputsOfRows(const project::Source& source, const std::string& cursor, size_t splits) {
  const auto& rows = source.rows;
  nlohmann::json inputs{{"rows_of", !rows.command.empty() ? rows.command[0]
                                    : rows.http           ? rows.http->request.path
                                    : rows.table.empty()  ? "query"
                                                          : rows.table},
                        {"incremental", source.rows.incremental},
                        {"cursor", nlohmann::json::parse(cursor, nullptr, false)},
                        {"splits", splits}};
  return inputs.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

sources::Ledger SeenBy(state::FileLedger ledger) {
  sources::Ledger seen;
  for (auto at = ledger.files.begin(); at != ledger.files.end(); at = ledger.files.erase(at)) {  // a million of them stand in memory once
    auto& [path, size, etag, batch, hash, rows_of] = at->second;
    seen.emplace_hint(seen.end(), std::move(path), sources::Seen{size, std::move(etag), std::move(hash), std::move(rows_of)});
  }
  return seen;
}

Result<sources::Offer> LookFor(const project::Source& source, sources::FileSource& input, const sources::Ledger& seen, bool reload,
                               Instant now) {
  SLUICE_TRY(sources::Offer offer, input.Look(seen, now, reload));
  const bool snapshot = source.load == project::Load::kFull;
  const bool moved = snapshot && (!offer.files.empty() || (!offer.gone.empty() && offer.unchanged > 0));
  if (moved && !seen.empty() && !reload && offer.waiting == 0) {
    SLUICE_TRY(offer, input.Look(seen, now, true));
  }
  if ((snapshot || reload) && offer.waiting > 0) offer.files.clear();
  return offer;
}

bool HasNewNames(const sources::Offer& offer) {
  return std::any_of(offer.known.begin(), offer.known.end(),
                     [](const sources::Known& one) { return !one.seen.rows_of.empty() && one.seen.rows_of != one.key; });
}

std::vector<std::string> NotesOfGone(const sources::Offer& offer, const sources::Ledger& seen) {
  std::set<std::string_view> there;
  for (const auto& file : offer.files) there.insert(file.object.key);
  Few gone;
  for (const auto& [path, was] : seen)
    if (!there.contains(path)) gone.Add(fmt::format("the source no longer has {}: its rows are not reloaded", path));
  return gone.Take("are gone from the source");
}

std::vector<std::string> NotesOf(const sources::Offer& offer) {
  Few skipped, known;
  for (const auto& one : offer.skipped) skipped.Add(fmt::format("left out {}: {}", one.key, one.why));
  for (const auto& one : offer.known) {
    const bool own = one.seen.rows_of.empty() || one.seen.rows_of == one.key;
    known.Add(fmt::format("skipped {}: {}", one.key,
                          own ? "it was sent again with the same contents" : "it has the contents of " + one.seen.rows_of));
  }
  std::vector<std::string> notes = skipped.Take("are left out");
  Append(known.Take("are skipped: their contents are there already"), &notes);
  for (const Error& warning : offer.warnings) notes.push_back(warning.message);
  return notes;
}

std::string WhyNothing(const sources::Offer& offer, const std::string& glob, bool nothing_before) {
  if (offer.waiting > 0) return Counted(offer.waiting, "file waits", "files wait") + " for a later run";
  return nothing_before && offer.known.empty() ? "no files match " + glob : "no new files";
}

}  // namespace sluice::run
