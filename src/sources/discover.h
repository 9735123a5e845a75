#pragma once
// Looking at files that no project describes yet: `inspect FILE` and `init --from DIR`.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "sources/profile.h"
#include "sources/source.h"

namespace sluice::sources {

struct InspectOptions {
  std::optional<FileFormat> format;  // else by the file's name
  Read read;                         // what is known of how it is written
  std::vector<std::string> given;    // the keys of `read` that were said
  bool accept_guesses = false;       // what is unsure is InputFile::doubts, not an error
};

// One file, as a source would read it.
struct FileLook {
  std::unique_ptr<FileSource> source;  // its store has the file
  FileFormat format = FileFormat::kCsv;
  std::vector<InputFile> files;  // one; of an archive its members
  TableProfile profile;          // no columns: the file has no records
  formats::FormatOptions options;
  std::vector<std::string> odd_members;  // whose names say another format than the first one's, by which all are read
};
// Errors: kUser "no-such-file", "unknown-format", "key-of-another-format", "conflicting-keys"; those of Source::Look and of reading.
Result<FileLook> LookAtFile(const std::string& path, const InspectOptions& options);

// What one file holds.
struct Inspection {
  std::string file;              // as given
  std::string format;            // as formats::TraitsOf names it
  std::vector<InputFile> files;  // size, compression, dialect: of the file, or of each member of an archive
  std::vector<std::string> odd_members;
  TableProfile profile;
  std::string read_yaml;      // a source's `read:`, with all that has to be pinned …
  std::string contract_yaml;  // … and its `contract:`, as they could be
};

// Errors: those of LookAtFile; kUser "nothing-to-propose".
Result<Inspection> InspectFile(const std::string& path, const InspectOptions& options = {});

struct ProposeRequest {
  std::string from;             // the folder to look at
  std::string project_name;     // "" = after the folder
  std::string connection_path;  // as sluice.yml shall say it: relative to the project's folder, or absolute
  bool accept_guesses = false;  // what is unsure is pinned as it was guessed, with a comment that says so
};

struct ProposedSource {
  std::string name, glob, format;  // of a Delta table: its folder, "delta"
  int64_t files = 0, records = 0, misfits = 0;
  std::vector<std::string> key;
};

// A project over the folder's files.
struct ProjectProposal {
  std::map<std::string, std::string> files;  // path in the project → text
  std::vector<ProposedSource> sources;
  std::vector<Skipped> skipped;  // files and groups left out, and why
};

// Reads samples; writes nothing. Errors: kUser "no-such-folder", "nothing-to-propose" (no file that can be read).
Result<ProjectProposal> ProposeProject(const ProposeRequest& request);

}  // namespace sluice::sources
