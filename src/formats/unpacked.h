#pragma once
// Members of archives whose format is read at any place: unpacked into scratch first.
#include <memory>
#include <string>

#include "formats/reader.h"

namespace sluice::formats {

// A file in a folder of its own, which goes with it.
class Unpacked {
 public:
  Unpacked(ReadRequest request, std::unique_ptr<store::ObjectStore> store, std::string folder);
  ~Unpacked();
  Unpacked(const Unpacked&) = delete;
  Unpacked& operator=(const Unpacked&) = delete;
  const ReadRequest& request() const { return request_; }

 private:
  ReadRequest request_;
  std::unique_ptr<store::ObjectStore> store_;
  std::string folder_;
};

// Errors: those of OpenBytes and of reading; kRetryable where the scratch folder cannot be written.
Result<std::unique_ptr<Unpacked>> Unpack(const ReadRequest& request);
// The reader, and the file for as long as it.
std::unique_ptr<RecordReader> KeepUnpacked(std::unique_ptr<Unpacked> unpacked, std::unique_ptr<RecordReader> reader);

}  // namespace sluice::formats
