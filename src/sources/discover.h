#pragma once
// Looking at files that no project describes yet: `inspect FILE` and `init --from DIR`.
#include <map>
#include <string>
#include <vector>

#include "core/result.h"
#include "sources/profile.h"
#include "sources/source.h"

namespace sluice::sources {

struct InspectOptions {
  bool whole_file = false;  // every record, not only those of the first 16 MiB
  CsvPins csv;              // what is known of the dialect
};

// What one file holds.
struct Inspection {
  std::string file;    // as given
  std::string format;  // as formats::TraitsOf names it
  InputFile input;     // size, compression, dialect
  TableProfile profile;
  std::string contract_yaml;  // a source's `contract:` as it could be
};

// Errors: kUser "no-such-file", "unknown-format"; those of Source::Look and of reading.
Result<Inspection> InspectFile(const std::string& path, const InspectOptions& options = {});

struct ProposeRequest {
  std::string from;             // the folder to look at
  std::string project_name;     // "" = after the folder
  std::string connection_path;  // as sluice.yml shall say it: relative to the project's folder, or absolute
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
