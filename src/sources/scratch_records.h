#pragma once
// Records that a peer gives once, kept as lines of JSON on this machine and read from there as a file of such is.
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "contract/type.h"
#include "core/result.h"
#include "formats/reader.h"
#include "sources/scratch_folder.h"
#include "sources/source.h"

namespace sluice::sources {

class ScratchRecords {
 public:
  // A folder below `scratch`, whose name begins with `kind`. `name`: what _file and messages say. Error kRetryable "scratch-failed".
  static Result<ScratchRecords> Make(const std::string& scratch, const std::string& kind, std::string name);
  ScratchRecords() = default;

  const std::string& folder() const { return folder_.path(); }  // "": none was made
  std::string path() const { return folder_.path() + "/records"; }

  // Lines, ends included; or whoever else writes the file at path() does it. Error kRetryable "scratch-failed".
  Status Write(std::string_view lines);
  // All is written. What follows asks for it. Same error, and those of the store.
  Status Close();
  bool closed() const { return store_ != nullptr; }

  int64_t bytes() const { return file_.object.size; }
  const InputFile& file() const { return file_; }
  store::ObjectStore& store() const { return *store_; }

  // Columns with types that hold for a sample; those that `request` lacks; the records. Errors: those of reading.
  Result<std::vector<contract::Field>> Columns() const;
  Result<std::vector<contract::Field>> NewColumns(const formats::ReadRequest& request) const;
  Result<std::unique_ptr<formats::RecordReader>> Read(const formats::ReadRequest& request) const;

 private:
  Status Failed() const;
  formats::ReadRequest RequestOf(formats::ReadRequest request) const;

  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  ScratchFolder folder_;
  std::unique_ptr<std::FILE, Closer> output_;
  InputFile file_;
  std::unique_ptr<store::ObjectStore> store_;
};

}  // namespace sluice::sources
