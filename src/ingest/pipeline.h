#pragma once
// Blocks → typed rows → checks → staged files, by several threads, in bounded memory: a thread takes the next block, and is done
// with it before it takes another.
#include <memory>
#include <string>
#include <vector>

#include "contract/rules.h"
#include "ingest/ingest.h"
#include "ingest/layout.h"
#include "ingest/tally.h"

namespace sluice::ingest {

// Opens file `i` and says how a record of it is to be read again.
struct OpenedFile {
  std::unique_ptr<formats::RecordReader> reader;
  std::string record_format;
};

struct PipelineInput {
  const project::Source* source = nullptr;
  const contract::Contract* contract = nullptr;  // the effective one
  contract::Schema rows;                         // of decoded blocks
  Layout layout;
  std::vector<InputFile> files;
  std::function<Result<OpenedFile>(size_t file)> open;  // callable from any thread where `readers` is more than one
  int readers = 1;                                      // how many files may be read at a time, each by one thread
  bool until_new_columns = false;                       // a record that brings one ends it: PipelineOutput::new_columns
  BatchIdentity batch;
  std::string bronze_root, quarantine_root;
};

struct PipelineOutput {
  std::vector<tables::StagedFile> bronze, quarantine;
  bool new_columns = false;  // there are some, and nothing else is true of the output
};

// Fills `tally`. Errors leave staged files: the caller deletes them.
Result<PipelineOutput> RunPipeline(const PipelineInput& input, const Environment& environment, Tally* tally);

}  // namespace sluice::ingest
