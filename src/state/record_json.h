#pragma once
// Records ↔ their bytes (JSON, one object). docs/records.md describes the fields.
#include <map>
#include <string>
#include <string_view>

#include "state/batch.h"

namespace sluice::state {

// kBug where a text that should be JSON is not.
Result<std::string> Render(const OpenRecord& record);
Result<std::string> Render(const ReadyRecord& record);
Result<std::string> Render(const DoneRecord& record);

// Errors "bad-record" and "newer-record", naming the key.
Result<OpenRecord> ParseOpen(std::string_view bytes, const std::string& key);
Result<ReadyRecord> ParseReady(std::string_view bytes, const std::string& key);
Result<DoneRecord> ParseDone(std::string_view bytes, const std::string& key);

// What a plan needs of the last done batch: an index, so that a run with nothing to do need not read a whole decision.
struct HeadIndex {
  DoneRecord done;
  std::string cursor = "null", inputs = "{}", counts = "{}", fingerprint, run_id;
  std::map<std::string, int64_t> prepared_for;  // table → version
};
HeadIndex MakeHead(const DoneRecord& done, const ReadyRecord& ready);
Result<std::string> Render(const HeadIndex& head);
Result<HeadIndex> ParseHead(std::string_view bytes, const std::string& key);

}  // namespace sluice::state
