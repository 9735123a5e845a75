#pragma once
// What does a connection have? Asked before any source of it is written: by `inspect`, `doctor`, and for patterns of tables.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "contract/type.h"
#include "core/result.h"
#include "sources/source.h"

namespace sluice::sources {

// A table, a topic: what one source could read.
struct Listed {
  std::string name;             // "public.users"
  std::string kind;             // for people: "table", "view"
  int64_t rows = 0, bytes = 0;  // about
};

// A source as it could be written.
struct Proposed {
  std::string name;  // of what it reads
  std::vector<contract::Field> columns;
  std::vector<std::string> primary_key;
  std::string cursor;  // a column that seems to grow with every change; "" = none
  std::string yaml;    // sources/NAME.yml, with comments that say what to look at
};

class Catalog {
 public:
  virtual ~Catalog() = default;
  // Whom we have reached, and as whom: "db.example.com:5432/shop as etl". Errors: those of connecting.
  virtual Result<std::string> Reach() = 0;
  // All that may be read, by name. Error kUser "no-list": the peer has none to give.
  virtual Result<std::vector<Listed>> List() = 0;
  // Errors: kUser where there is no such thing; those of reading.
  virtual Result<Proposed> Propose(const std::string& name) = 0;
};

// Of spec.connection_type; of `spec` only what is said of the connection counts. Error kUser "unknown-connection-type", also for files.
Result<std::unique_ptr<Catalog>> OpenCatalog(const SourceSpec& spec);

}  // namespace sluice::sources
