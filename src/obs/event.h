#pragma once
// How do we say what happens? Rooms emit events; sinks turn them into log lines or progress. Nothing here persists or decides.
#include <iosfwd>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"

namespace sluice::obs {

enum class Level { kDebug, kInfo, kWarn, kError };
enum class Kind {
  kMessage,       // a line for people
  kNodeStarted,   // node set
  kNodeProgress,  // node set; done and total in the node's unit (bytes of ingest, 0 total = unknown)
  kNodeFinished,  // node set; message is its report line
};

struct Event {
  Level level = Level::kInfo;
  Kind kind = Kind::kMessage;
  std::string node;
  std::string message;
  int64_t done = 0, total = 0;
  std::vector<std::pair<std::string, std::string>> fields;
};

// Thread-safe.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void Emit(const Event& event) = 0;
};

// What every line of a run carries.
struct LogContext {
  std::string run_id, trace_id, environment;
};

// One JSON object a line: ts, level, run, node, trace, env, message, then the fields.
std::unique_ptr<Sink> NewJsonLinesSink(std::ostream& out, Level least, Clock& clock, LogContext context);
// Plain lines, for CI and pipes: a line when a node starts is left out, its end is one line.
std::unique_ptr<Sink> NewPlainSink(std::ostream& out, Level least);
// A terminal: one live line says what runs now; warnings, errors and failed nodes scroll above it.
std::unique_ptr<Sink> NewTerminalSink(std::ostream& out, Level least, bool color);
std::unique_ptr<Sink> NewNullSink();

}  // namespace sluice::obs
