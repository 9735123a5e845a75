#pragma once
// One source's records on their way into files, spoilt at intervals by the kinds of dirt listed for it.
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/retail/draw.h"
#include "cli/retail/landing.h"
#include "cli/retail/truth.h"

namespace sluice::cli::retail {

// One way to spoil a record, and the rule that must find it.
struct Dirt {
  enum class Kind {
    kField,        // a field's text is replaced; the record is quarantined
    kWarn,         // likewise, but the rule only warns: the record stays
    kShort,        // the last field is missing
    kLong,         // one field too many
    kBrokenQuote,  // text after a closing quote
    kBadBytes,     // a byte that is no UTF-8, inside a field
    kCutOff,       // NDJSON: the line ends in the middle
    kRepeat,       // the good record is followed by an identical one, which must count as deduplicated
    kContradict,   // … or by one that differs in a field, which must be quarantined as not unique
    kResend,       // the good record comes again with the next delivery
  };
  Kind kind;
  int column = -1;         // index of the field; -1: of the whole record
  std::string_view value;  // the replacement
  std::string_view rule;   // as the violation names it
};

enum class FilePer { kDay, kWeek, kDelivery, kSnapshot };  // kSnapshot: each delivery replaces the file

struct SourceSpec {
  std::string name;  // of the bronze table
  std::string path;  // "{}" stands for the first day of the file
  FilePer per = FilePer::kWeek;
  Dialect dialect;
  std::vector<std::string> columns;
  std::vector<Dirt> dirt;                             // taken in turn
  int every = 80;                                     // one record in about this many is spoilt
  std::string unique;                                 // the key that kContradict breaks, as violations name it: "a, b"
  std::string timestamp_as = "timestamp";             // what the contract calls the field `timestamp`
  std::function<Dialect(int file_index)> dialect_of;  // where files differ; else `dialect`
};

class RecordSource {
 public:
  // `spec` outlives the source.
  RecordSource(const SourceSpec& spec, uint64_t seed, Landing& landing, Truth& truth);

  // Writes one record of that day, with that delivery (0: the day's own). Does it reach bronze, in what the truth covers?
  bool Write(int day, std::vector<std::string> fields, int delivery = 0);
  // Likewise, never spoilt.
  bool WriteClean(int day, const std::vector<std::string>& fields);
  // Writes what comes again with a later delivery. Call once, after the last record.
  void Finish();

 private:
  struct Resent {
    int delivery;
    std::vector<std::string> fields;
  };
  RecordFile& FileOf(int day, int delivery);
  bool Plant(const Dirt& dirt, RecordFile& file, std::vector<std::string> fields);
  Place AddSpoilt(const Dirt& dirt, RecordFile& file, std::vector<std::string> fields);
  void CountGood(int delivery);
  Planted Name(const Dirt& dirt, const RecordFile& file, Place place) const;
  const Dirt* NextDirt();

  const SourceSpec& spec_;
  Landing& landing_;
  SourceTruth& truth_;
  Draw draw_;
  size_t next_kind_ = 0;
  int64_t until_dirt_;
  std::vector<Resent> resent_;
  std::map<std::pair<int, int>, RecordFile*> files_;  // by delivery, first day
};

// A JSON string literal of `text`; the texts here need no escapes.
inline std::string Quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

}  // namespace sluice::cli::retail
