#include "sources/http/http_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <variant>

#include "core/counted.h"
#include "core/text.h"
#include "core/time.h"
#include "sources/http/fetch.h"
#include "sources/http/growth.h"
#include "sources/scratch_records.h"

namespace sluice::sources::http {
namespace {

using nlohmann::json;

constexpr int64_t kDay = 86'400'000'000;
constexpr size_t kMostWindows = 10'000;  // of one batch: the next one goes on behind them

struct Cursor {
  std::string of;        // the request's path, as it is written
  std::string way;       // how is told what is new: "all", "windows", "cursor"
  std::string by;        // the cursor's field
  std::string for_each;  // the parent's path
  End end;
  std::optional<Instant> until;  // the end of the last window
};

struct Window {
  Instant start, end;
};

// One that is not understood as a whole is refused: what is left out of it would come again.
Result<Cursor> ParseCursor(const std::string& text) {
  if (text == "null") return Cursor{};
  const auto bad = [](const std::string& what) {
    return Fail(UserError("bad-cursor", "this is no cursor of an HTTP source: " + what)
                    .Hint("take the one that `sluice state show NODE --json` prints, and change it"));
  };
  const json value = json::parse(text, nullptr, false);
  if (!value.is_object()) return bad("it is no map");
  Cursor cursor;
  for (const auto& [key, member] : value.items()) {
    const bool hashes = key == "seen" || key == "without";
    const bool known = hashes || key == "of" || key == "way" || key == "by" || key == "for_each" || key == "value" || key == "until";
    const bool fits = hashes
                          ? member.is_array() && std::all_of(member.begin(), member.end(), [](const json& one) { return one.is_string(); })
                          : member.is_string();
    if (!known || !fits) return bad(fmt::format("\"{}\" is {}", key, known ? "of another type" : "not known"));
    if (hashes) {
      for (const json& one : member) (key == "seen" ? cursor.end.seen : cursor.end.without).insert(one);
    } else if (key == "until") {
      cursor.until = ParseInstant(member.get<std::string>());
      if (!cursor.until) return bad("\"until\" is no timestamp");
    } else if (key == "value") {
      cursor.end.value = member;
      const json scalar = json::parse(cursor.end.value, nullptr, false);
      if (!scalar.is_string() && !scalar.is_number()) return bad(R"("value" is JSON in a text: "\"2024-01-01T00:00:00Z\"" or "17")");
    } else {
      (key == "of" ? cursor.of : key == "way" ? cursor.way : key == "by" ? cursor.by : cursor.for_each) = member;
    }
  }
  return cursor.of.empty() || cursor.way.empty() ? bad("it lacks \"of\" or \"way\"") : Result<Cursor>(cursor);
}

std::string ToText(const Cursor& cursor) {
  json value{{"of", cursor.of}, {"way", cursor.way}};
  if (!cursor.by.empty()) value["by"] = cursor.by;
  if (!cursor.for_each.empty()) value["for_each"] = cursor.for_each;
  if (!cursor.end.value.empty()) value["value"] = cursor.end.value;
  if (!cursor.end.seen.empty()) value["seen"] = cursor.end.seen;
  if (!cursor.end.without.empty()) value["without"] = cursor.end.without;
  if (cursor.until) value["until"] = FormatInstant(*cursor.until);
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string InForm(Instant instant, Windows::Form form) {
  const int64_t seconds = instant.millis() / 1000;
  switch (form) {
    case Windows::Form::kDate:
      return FormatDate(static_cast<int32_t>(instant.micros >= 0 ? instant.micros / kDay : (instant.micros - kDay + 1) / kDay));
    case Windows::Form::kTimestamp:
      return FormatInstant(instant);
    case Windows::Form::kUnix:
      return std::to_string(seconds);
    case Windows::Form::kUnixMillis:
      return std::to_string(instant.millis());
  }
  return "";
}

class HttpSource : public RowSource {
 public:
  HttpSource(const SourceSpec& spec, const Settings& settings, const http::Read& read)
      : spec_(spec), settings_(settings), read_(read), name_(settings.name + ":" + read.request.path) {}

  Result<std::vector<contract::Field>> Columns() override {
    SLUICE_CHECK(FetchOnce());
    return records_.Columns();
  }

  Result<std::vector<contract::Field>> NewColumns(const formats::ReadRequest& request) override {
    SLUICE_CHECK(FetchOnce());
    return records_.NewColumns(request);
  }

  // Nothing is asked for yet: a plan only tells.
  Result<RowPlan> Plan(const std::string& cursor) override {
    SLUICE_TRY(before_, ParseCursor(cursor));
    SLUICE_CHECK(CheckCursor());
    after_ = {read_.request.path, Way(), spec_.rows.cursor, ParentPath(), {}, before_.until};
    RowPlan plan;
    plan.why = fmt::format("{} {} of {}", read_.request.method, read_.request.path, settings_.name);
    if (read_.windows) {
      PlanWindows(*read_.windows, &plan);
      if (windows_.empty()) return plan;
    }
    plan.splits = {{name_, "", 0}};
    return plan;
  }

  Result<std::unique_ptr<formats::RecordReader>> Read(const RowSplit& /*split*/, const formats::ReadRequest& request) override {
    SLUICE_CHECK(FetchOnce());
    return records_.Read(request);
  }

  int max_readers() const override { return 1; }

  Result<std::string> CursorAfter() override { return ToText(after_); }

 private:
  std::string Way() const { return read_.windows ? "windows" : spec_.rows.cursor.empty() ? "all" : "cursor"; }

  std::string ParentPath() const { return read_.parent ? read_.parent->path : ""; }
  static std::string NameOf(const std::string& path) { return path.empty() ? "nothing" : path; }

  // Where it would go on is of another list, or what came before would come again beside itself.
  Status CheckCursor() const {
    if (before_.of.empty() || (before_.way == "all" && Way() == "all")) return Ok();
    const auto other = [&](const std::string& was, const std::string& is) {
      return Fail(UserError("other-cursor", fmt::format("the last batch {}, this one would {}", was, is))
                      .At(spec_.rows.where)
                      .Hint("make the table anew: sluice run --full-refresh --reload-sources; or go back to what was written"));
    };
    if (before_.way != Way()) {
      const auto told = [](const std::string& way) {
        return way == "all" ? "take all that the API gives" : "tell what is new by " + (way == "cursor" ? std::string("a cursor") : way);
      };
      return other("was to " + told(before_.way), told(Way()));
    }
    if (before_.of != read_.request.path) return other("asked for " + before_.of, "ask for " + read_.request.path);
    if (before_.for_each != ParentPath())
      return other("asked for it for each of " + NameOf(before_.for_each), "do so for each of " + NameOf(ParentPath()));
    return before_.by == spec_.rows.cursor ? Ok() : other("went by " + before_.by, "go by " + spec_.rows.cursor);
  }

  void PlanWindows(const Windows& windows, RowPlan* plan) {
    windows_.clear();
    const Instant now{SystemClock().Now().micros - windows.delay_micros};
    Instant at = before_.until.value_or(windows.start);
    if (windows.every_micros == 0) {
      const Instant end{windows.form == Windows::Form::kDate ? now.micros / kDay * kDay : now.micros / 1'000'000 * 1'000'000};
      if (at < end) windows_.push_back({at, end});
    } else {
      while (at.micros + windows.every_micros <= now.micros && windows_.size() < kMostWindows) {
        windows_.push_back({at, {at.micros + windows.every_micros}});
        at = windows_.back().end;
      }
      if (at.micros + windows.every_micros <= now.micros)
        plan->notes.push_back(
            fmt::format("{} windows are asked for at most; the next run goes on at {}", FormatCount(kMostWindows), FormatInstant(at)));
    }
    if (windows_.empty()) {
      plan->why = "no window has ended since " + FormatInstant(at);
      return;
    }
    after_.until = windows_.back().end;
    plan->why += fmt::format(", {} from {} to {}", Counted(static_cast<int64_t>(windows_.size()), "window"),
                             FormatInstant(windows_.front().start), FormatInstant(*after_.until));
  }

  std::vector<Context> Contexts(const std::optional<std::string>& from) const {
    Context shared;
    const auto cursor = from ? from : read_.cursor_start.empty() ? std::nullopt : std::optional(read_.cursor_start);
    if (cursor) shared.texts["cursor"] = *cursor;
    if (!read_.windows) return {shared};
    std::vector<Context> contexts;
    for (const Window& window : windows_) {
      Context& one = contexts.emplace_back(shared);
      const auto add = [&](const char* name, Instant instant) {
        one.texts[name] = InForm(instant, read_.windows->form);
        one.json[name] = json(one.texts[name]).dump();
      };
      add("window.start", window.start);
      add("window.end", window.end);
      add("window.last", {window.end.micros - kDay});
    }
    return contexts;
  }

  Status FetchOnce() {
    if (records_.closed()) return Ok();
    SLUICE_TRY(records_, ScratchRecords::Make(spec_.scratch_dir, "http", name_));
    std::optional<Growth> growth;
    std::optional<std::string> from;
    if (!spec_.rows.cursor.empty()) {
      growth.emplace(spec_.rows.cursor, spec_.rows.lookback, spec_.rows.lookback_is_time, SystemClock().Now(), before_.end);
      SLUICE_TRY(from, growth->From());
    }
    Caller caller(settings_, spec_.cancel, SystemClock(), SystemRandom());
    const Fetching fetching{read_,
                            settings_,
                            caller,
                            records_.folder(),
                            [&](std::string_view record, std::string_view own) -> Result<bool> {
                              return growth ? growth->Take(record, own) : Result<bool>(true);
                            },
                            [&](std::string_view lines) { return records_.Write(lines); }};
    if (auto fetched = FetchAll(fetching, Contexts(from)); !fetched) return Placed(std::move(fetched).error());
    if (growth) {
      auto end = growth->After();
      if (!end) return Placed(std::move(end).error());
      after_.end = *std::move(end);
    }
    return records_.Close();
  }

  Status Placed(Error error) const {
    if (!error.where.known()) error.where = spec_.rows.where;
    return Fail(std::move(error));
  }

  const SourceSpec spec_;
  const Settings settings_;
  const http::Read read_;
  const std::string name_;
  Cursor before_, after_;
  std::vector<Window> windows_;
  ScratchRecords records_;  // not closed: nothing was asked for yet
};

}  // namespace

Result<std::unique_ptr<RowSource>> OpenHttpSource(const SourceSpec& spec) {
  const auto* settings = std::get_if<Settings>(&spec.peer);
  if (settings == nullptr || !spec.rows.http) return Fail(BugError("an HTTP source without a request"));
  return std::make_unique<HttpSource>(spec, *settings, *spec.rows.http);
}

}  // namespace sluice::sources::http
