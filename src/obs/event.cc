#include "obs/event.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <ostream>

#include "core/text.h"
#include "core/time.h"

namespace sluice::obs {
namespace {

constexpr const char* kLevelNames[] = {"debug", "info", "warn", "error"};

class JsonLinesSink : public Sink {
 public:
  JsonLinesSink(std::ostream& out, Level least, Clock& clock, LogContext context)
      : out_(out), least_(least), clock_(clock), context_(std::move(context)) {}

  void Emit(const Event& event) override {
    if (event.kind == Kind::kNodeProgress || event.level < least_) return;
    nlohmann::ordered_json line;
    line["ts"] = FormatInstant(clock_.Now());
    line["level"] = kLevelNames[static_cast<int>(event.level)];
    line["run"] = context_.run_id;
    if (!event.node.empty()) line["node"] = event.node;
    line["trace"] = context_.trace_id;
    line["env"] = context_.environment;
    line["message"] = event.kind == Kind::kNodeStarted ? "started" : event.message;
    for (const auto& [key, value] : event.fields) line[key] = value;
    std::lock_guard lock(mutex_);
    out_ << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n' << std::flush;
  }

 private:
  std::mutex mutex_;
  std::ostream& out_;
  Level least_;
  Clock& clock_;
  LogContext context_;
};

std::string Prefix(const Event& event) {
  if (event.level == Level::kError) return "error: ";
  if (event.level == Level::kWarn) return "warning: ";
  return "";
}

class PlainSink : public Sink {
 public:
  PlainSink(std::ostream& out, Level least) : out_(out), least_(least) {}

  void Emit(const Event& event) override {
    if (event.kind == Kind::kNodeStarted || event.kind == Kind::kNodeProgress || event.level < least_) return;
    std::lock_guard lock(mutex_);
    out_ << Prefix(event) << event.message << '\n' << std::flush;
  }

 private:
  std::mutex mutex_;
  std::ostream& out_;
  Level least_;
};

class TerminalSink : public Sink {
 public:
  TerminalSink(std::ostream& out, Level least, bool color) : out_(out), least_(least), color_(color) {}
  ~TerminalSink() override { Clear(); }

  void Emit(const Event& event) override {
    std::lock_guard lock(mutex_);
    switch (event.kind) {
      case Kind::kNodeStarted:
        running_[event.node] = "";
        break;
      case Kind::kNodeProgress:
        running_[event.node] = event.total > 0 ? fmt::format(" {}%", event.done * 100 / event.total) : " " + FormatBytes(event.done);
        break;
      case Kind::kNodeFinished:
        running_.erase(event.node);
        ++finished_;
        if (event.level < Level::kWarn) break;  // the report that follows on stdout has its line
        [[fallthrough]];
      case Kind::kMessage:
        if (event.level < least_) break;
        Clear();
        out_ << Paint(event) << '\n';
    }
    Draw();
  }

 private:
  std::string Paint(const Event& event) const {
    if (!color_) return Prefix(event) + event.message;
    const char* code = event.level == Level::kError ? "\033[31m" : event.level == Level::kWarn ? "\033[33m" : "";
    return code + Prefix(event) + event.message + (*code ? "\033[0m" : "");
  }
  void Clear() {
    if (drawn_) out_ << "\r\033[K" << std::flush;
    drawn_ = false;
  }
  void Draw() {
    if (running_.empty()) return Clear();
    std::string line = finished_ > 0 ? fmt::format("{} done, running", finished_) : "running";
    for (const auto& [node, progress] : running_) line += " " + node + progress;
    if (line.size() > 100) line = line.substr(0, 97) + "...";
    out_ << "\r\033[K" << (color_ ? "\033[2m" : "") << line << (color_ ? "\033[0m" : "") << std::flush;
    drawn_ = true;
  }

  std::mutex mutex_;
  std::ostream& out_;
  Level least_;
  bool color_;
  bool drawn_ = false;
  int finished_ = 0;
  std::map<std::string, std::string> running_;
};

class NullSink : public Sink {
 public:
  void Emit(const Event&) override {}
};

}  // namespace

std::unique_ptr<Sink> NewJsonLinesSink(std::ostream& out, Level least, Clock& clock, LogContext context) {
  return std::make_unique<JsonLinesSink>(out, least, clock, std::move(context));
}
std::unique_ptr<Sink> NewPlainSink(std::ostream& out, Level least) { return std::make_unique<PlainSink>(out, least); }
std::unique_ptr<Sink> NewTerminalSink(std::ostream& out, Level least, bool color) {
  return std::make_unique<TerminalSink>(out, least, color);
}
std::unique_ptr<Sink> NewNullSink() { return std::make_unique<NullSink>(); }

}  // namespace sluice::obs
