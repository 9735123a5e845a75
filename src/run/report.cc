#include "run/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/counted.h"
#include "core/text.h"
#include "core/time.h"

namespace sluice::run {
namespace {

using nlohmann::ordered_json;

std::string Version(int64_t version) { return version < 0 ? "none" : fmt::format("v{}", version); }

std::string RowText(const RowCounts& rows) {
  std::vector<std::string> parts;
  for (const auto& [name, count] : rows.terms)
    if (count != 0) parts.push_back(name + " " + FormatCount(count));
  if (rows.in < 0) return Join(parts, " + ");
  if (parts.empty()) return "in " + FormatCount(rows.in);
  return fmt::format("in {} = {}", FormatCount(rows.in), Join(parts, " + "));
}

std::string Seconds(double seconds) {
  return seconds < 0.0995 ? fmt::format("{:.0f} ms", seconds * 1000) : fmt::format("{:.1f} s", seconds);
}

void AppendIndented(std::string& out, const std::string& text, const std::string& indent) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) out += indent + line + "\n";
}

std::string CheckText(const CheckOutcome& check) {
  std::string text = fmt::format("check {} {}: {}", check.name, ToString(check.status), Counted(check.violations, "violation"));
  if (check.checked_rows >= 0) text += fmt::format(" of {}", Counted(check.checked_rows, "row"));
  if (check.where.known()) text = check.where.ToString() + ": " + text;
  return text;
}

void AppendChecks(std::string& out, const NodeReport& node, bool verbose) {
  for (const auto& check : node.checks) {
    if (check.status == CheckStatus::kPassed || (check.status == CheckStatus::kTolerated && !verbose)) continue;
    out += "    " + CheckText(check) + "\n";
    for (const auto& sample : check.samples) out += "      " + sample + "\n";
    for (const auto& line : check.explained) out += "      " + line + "\n";
  }
}

void AppendRules(std::string& out, const NodeReport& node, bool verbose) {
  size_t shown = 0;
  for (const auto& rule : node.rules) {
    if (!verbose && ++shown > 5) {
      out += fmt::format("    … and {}: sluice quarantine list {}\n", Counted(node.rules.size() - 5, "more rule"),
                         node.table.substr(node.table.find('.') + 1));
      return;
    }
    out += fmt::format("    {} {}{}: {}", rule.warn ? "warned" : "quarantined", rule.column.empty() ? "" : rule.column + " ", rule.rule,
                       Counted(rule.rows, "row"));
    if (!rule.samples.empty()) {
      const auto& first = rule.samples.front();
      out += fmt::format(", first {}:{}", first.file, first.line > 0 ? first.line : first.row);
      if (!first.message.empty()) out += " " + first.message;
    }
    out += "\n";
  }
}

// Megabytes of the input for each second that threads spent in a stage.
std::string Rate(int64_t bytes, double seconds) {
  return seconds < 5e-4 ? "" : fmt::format("{:.0f} MB/s", static_cast<double>(bytes) / 1e6 / seconds);
}

void AppendProfile(std::string& out, const IngestProfile& profile) {
  double all = 0;
  for (const StageTime& time : profile.stages) all += time.seconds;
  out +=
      fmt::format("    where the time went: {} on {}, over all of them\n", FormatBytes(profile.bytes), Counted(profile.threads, "thread"));
  out += fmt::format("      {:<8} {:>9} {:>9} {:>6} {:>12}\n", "stage", "time", "cpu", "share", "of input");
  for (size_t i = 0; i < kStages; ++i) {
    const StageTime& time = profile.stages[i];
    if (time.seconds < 5e-4) continue;
    out += fmt::format("      {:<8} {:>7.3f} s {:>7.3f} s {:>5.0f}% {:>12}\n", ToString(static_cast<Stage>(i)), time.seconds,
                       time.cpu_seconds, 100 * time.seconds / all, Rate(profile.bytes, time.seconds));
  }
}

// What a person does after a node did not come out.
std::string NextCommand(const NodeReport& node) {
  // Only these keep the refused records; other refusals (a missing column, a changed file) are about whole files.
  const bool kept = node.error && (node.error->code == "too-many-quarantined" || node.error->code == "contract-violated" ||
                                   node.error->code == "type-changed");
  if (kept && node.kind == "source") return fmt::format("sluice quarantine show {} --refused", node.table.substr(node.table.find('.') + 1));
  if (node.status == NodeStatus::kRefused && node.kind == "model")
    return fmt::format("sluice show {0}, then sluice run -s {0}+", node.table);
  return "mend the cause, then sluice run --resume";
}

void AppendFailure(std::string& out, const RunReport& report, const NodeReport& node) {
  out += fmt::format("\n{} {}\n", node.table, node.status == NodeStatus::kRefused ? "was not published" : "failed");
  if (node.error) AppendIndented(out, node.error->ToString(), "    ");
  AppendChecks(out, node, true);
  AppendRules(out, node, false);
  out += fmt::format("    stays published: {}\n", node.from_version < 0 ? "nothing (it has no version yet)" : Version(node.from_version));
  std::vector<std::string> blocked;
  for (const auto& other : report.nodes)
    if (std::find(other.blocked_by.begin(), other.blocked_by.end(), node.table) != other.blocked_by.end()) blocked.push_back(other.table);
  if (!blocked.empty()) out += "    blocked: " + Join(blocked, ", ") + "\n";
  out += "    next: " + NextCommand(node) + "\n";
}

// Cancelled before its turn came.
bool NeverBegan(const NodeReport& node) { return node.status == NodeStatus::kCancelled && node.seconds == 0; }

void AppendInterrupted(std::string& out, const RunReport& report) {
  std::vector<std::string> at;
  size_t later = 0;
  for (const auto& node : report.nodes) {
    if (NeverBegan(node))
      ++later;
    else if (node.status == NodeStatus::kCancelled)
      at.push_back(node.table);
  }
  out += "\ninterrupted" + (at.empty() ? "" : " at " + Join(at, ", "));
  if (later > 0) out += fmt::format("; {} not begun", Counted(later, "node was", "nodes were"));
  out += "\n    stays published: the last committed version of each\n    next: sluice run --resume\n";
}

std::map<NodeStatus, size_t> CountByStatus(const RunReport& report) {
  std::map<NodeStatus, size_t> counts;
  for (const auto& node : report.nodes) ++counts[node.status];
  return counts;
}

ordered_json ToJson(const Error& error) {
  ordered_json out = {{"code", error.code}, {"message", error.message}};
  if (error.where.known()) out["where"] = error.where.ToString();
  if (!error.hint.empty()) out["hint"] = error.hint;
  for (const auto& other : error.more) out["more"].push_back(ToJson(other));
  return out;
}

ordered_json ToJson(const CheckOutcome& check) {
  ordered_json out = {{"name", check.name}, {"status", ToString(check.status)}, {"violations", check.violations}};
  if (check.checked_rows >= 0) out["checked_rows"] = check.checked_rows;
  if (check.where.known()) out["where"] = check.where.ToString();
  if (!check.samples.empty()) out["samples"] = check.samples;
  if (!check.explained.empty()) out["explained"] = check.explained;
  return out;
}

ordered_json ToJson(const ingest::RuleCount& rule) {
  ordered_json out = {{"column", rule.column}, {"rule", rule.rule}, {"rows", rule.rows}, {"warn", rule.warn}};
  for (const auto& sample : rule.samples)
    out["samples"].push_back(
        {{"file", sample.file}, {"row", sample.row}, {"line", sample.line}, {"value", sample.value}, {"message", sample.message}});
  return out;
}

ordered_json ToJson(const IngestProfile& profile) {
  ordered_json out = {{"bytes", profile.bytes}, {"threads", profile.threads}};
  for (size_t i = 0; i < kStages; ++i)
    out["stages"][ToString(static_cast<Stage>(i))] = {{"seconds", profile.stages[i].seconds},
                                                      {"cpu_seconds", profile.stages[i].cpu_seconds}};
  return out;
}

ordered_json ToJson(const NodeReport& node) {
  ordered_json out = {
      {"table", node.table}, {"kind", node.kind}, {"status", ToString(node.status)}, {"why", node.why}, {"seconds", node.seconds}};
  if (node.from_version >= 0) out["from_version"] = node.from_version;
  if (node.to_version >= 0) out["to_version"] = node.to_version;
  if (node.batch) out["batch"] = *node.batch;
  if (node.rows.in >= 0) out["rows_in"] = node.rows.in;
  for (const auto& [name, count] : node.rows.terms) out["rows"][name] = count;
  for (const auto& check : node.checks) out["checks"].push_back(ToJson(check));
  for (const auto& rule : node.rules) out["violations"].push_back(ToJson(rule));
  if (!node.notes.empty()) out["notes"] = node.notes;
  if (node.error) out["error"] = ToJson(*node.error);
  if (!node.blocked_by.empty()) out["blocked_by"] = node.blocked_by;
  if (node.profile) out["profile"] = ToJson(*node.profile);
  return out;
}

std::string EscapeXml(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t')
      out += c;
  }
  return out;
}

// Something that an up-to-date node has to say.
bool HasFindings(const NodeReport& node) {
  return node.noteworthy || std::any_of(node.checks.begin(), node.checks.end(), [](const auto& check) {
           return check.status == CheckStatus::kWarned || check.status == CheckStatus::kFailed;
         });
}

bool Bad(NodeStatus status) { return status == NodeStatus::kFailed || status == NodeStatus::kRefused || status == NodeStatus::kCancelled; }

std::string FailureText(const NodeReport& node) {
  std::string out;
  if (node.error) out += node.error->ToString() + "\n";
  AppendChecks(out, node, true);
  return out;
}

std::string RenderJunit(const RunReport& report) {
  auto counts = CountByStatus(report);
  const auto stale = static_cast<size_t>(std::count_if(report.nodes.begin(), report.nodes.end(), IsStale));
  const size_t failures = counts[NodeStatus::kRefused] + stale, errors = counts[NodeStatus::kFailed] + counts[NodeStatus::kCancelled];
  const auto stale_skipped = static_cast<size_t>(std::count_if(
      report.nodes.begin(), report.nodes.end(), [](const auto& node) { return node.status == NodeStatus::kSkipped && IsStale(node); }));
  const size_t skipped = counts[NodeStatus::kSkipped] + counts[NodeStatus::kBlocked] - stale_skipped;
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  out += fmt::format("<testsuite name=\"sluice {}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">\n",
                     EscapeXml(report.project), report.nodes.size(), failures, errors, skipped);
  for (const auto& node : report.nodes) {
    out +=
        fmt::format("  <testcase classname=\"{}\" name=\"{}\" time=\"{:.3f}\">", EscapeXml(node.kind), EscapeXml(node.table), node.seconds);
    if (Bad(node.status) || IsStale(node)) {
      const char* element = node.status == NodeStatus::kRefused || IsStale(node) ? "failure" : "error";
      out += fmt::format("<{0} message=\"{1}\">{2}</{0}>", element, EscapeXml(node.error ? node.error->message : "checks failed"),
                         EscapeXml(FailureText(node)));
    } else if (node.status == NodeStatus::kSkipped || node.status == NodeStatus::kBlocked) {
      out += fmt::format("<skipped message=\"{}\"/>", EscapeXml(node.why));
    }
    out += "</testcase>\n";
  }
  return out + "</testsuite>\n";
}

ordered_json SarifResult(const std::string& rule, const char* level, const std::string& message, const Location& where) {
  ordered_json result = {{"ruleId", rule}, {"level", level}, {"message", {{"text", message}}}};
  if (where.known()) {
    ordered_json place = {{"artifactLocation", {{"uri", where.file}}}};
    if (where.line > 0) place["region"] = {{"startLine", where.line}, {"startColumn", std::max(1, where.column)}};
    result["locations"] = ordered_json::array({{{"physicalLocation", place}}});
  }
  return result;
}

std::string RenderSarif(const RunReport& report) {
  ordered_json results = ordered_json::array();
  const auto add_error = [&](const Error& error, const char* level) {
    results.push_back(SarifResult(error.code, level, error.message, error.where));
    for (const auto& other : error.more) results.push_back(SarifResult(other.code, level, other.message, other.where));
  };
  for (const auto& warning : report.warnings) add_error(warning, "warning");
  for (const auto& node : report.nodes) {
    if (node.error) add_error(*node.error, "error");
    for (const auto& check : node.checks)
      if (check.status == CheckStatus::kFailed || check.status == CheckStatus::kWarned)
        results.push_back(SarifResult("check/" + check.name, check.status == CheckStatus::kFailed ? "error" : "warning",
                                      node.table + ": " + CheckText(check), check.where));
  }
  const ordered_json run = {{"tool", {{"driver", {{"name", "sluice"}}}}}, {"results", results}};
  return ordered_json{
             {"version", "2.1.0"}, {"$schema", "https://json.schemastore.org/sarif-2.1.0.json"}, {"runs", ordered_json::array({run})}}
             .dump(2) +
         "\n";
}

std::string RenderMarkdown(const RunReport& report) {
  std::string out =
      fmt::format("### sluice run `{}` of {} in {}\n\n| node | status | version | rows | time | why |\n|---|---|---|---|---|---|\n",
                  report.run_id, report.project, report.environment);
  for (const auto& node : report.nodes)
    out += fmt::format(
        "| {} | {} | {} | {} | {} | {} |\n", node.table, ToString(node.status),
        node.to_version == node.from_version ? Version(node.to_version) : Version(node.from_version) + " → " + Version(node.to_version),
        RowText(node.rows), Seconds(node.seconds), node.why);
  for (const auto& node : report.nodes)
    if (Bad(node.status) || IsStale(node)) out += fmt::format("\n**{}**\n```\n{}```\n", node.table, FailureText(node));
  return out;
}

}  // namespace

const char* ToString(NodeStatus status) {
  static constexpr const char* kNames[] = {"ok", "skipped", "refused", "failed", "blocked", "cancelled"};
  return kNames[static_cast<int>(status)];
}

bool IsStale(const NodeReport& node) {
  const bool published = node.status == NodeStatus::kOk || node.status == NodeStatus::kSkipped;
  return published &&
         std::any_of(node.checks.begin(), node.checks.end(), [](const auto& check) { return check.status == CheckStatus::kFailed; });
}

int RunReport::ExitCode() const {
  auto counts = CountByStatus(*this);
  if (counts[NodeStatus::kCancelled] > 0) return 130;
  if (counts[NodeStatus::kFailed] > 0) return 1;
  return counts[NodeStatus::kRefused] > 0 || std::any_of(nodes.begin(), nodes.end(), IsStale) ? 3 : 0;
}

std::string ToJson(const RowCounts& rows) {
  ordered_json out = ordered_json::object();
  if (rows.in >= 0) out["in"] = rows.in;
  for (const auto& [name, count] : rows.terms) out[name] = count;
  return out.dump();
}

RowCounts RowCountsFromJson(const std::string& text) {
  RowCounts rows;
  const ordered_json counts = ordered_json::parse(text, nullptr, false);
  if (!counts.is_object()) return rows;
  rows.in = counts.value("in", int64_t{-1});
  for (const auto& [name, count] : counts.items())
    if (name != "in" && count.is_number_integer()) rows.terms.emplace_back(name, count.get<int64_t>());
  return rows;
}

std::string NodeLine(const NodeReport& node, size_t width) {
  std::string line = fmt::format("{:<{}}  {:<8}", node.table, width, ToString(node.status));
  if (node.to_version >= 0 && node.to_version != node.from_version)
    line += fmt::format("  {}→{}", Version(node.from_version), Version(node.to_version));
  else if (node.from_version >= 0)
    line += "  " + Version(node.from_version);
  if (const std::string rows = RowText(node.rows); !rows.empty()) line += "  " + rows;
  if (node.seconds > 0) line += "  " + Seconds(node.seconds);
  if (!node.why.empty()) line += "  why: " + node.why;
  if (!node.blocked_by.empty()) line += "  by: " + Join(node.blocked_by, ", ");
  return line;
}

std::string RenderText(const RunReport& report, bool verbose) {
  std::string out =
      fmt::format("run {}  project {}  environment {}  lake {}", report.run_id, report.project, report.environment, report.lake);
  if (!report.git_commit.empty()) out += "  git " + report.git_commit;
  out += "\n";
  size_t width = 0;
  for (const auto& node : report.nodes) width = std::max(width, node.table.size());
  for (const auto& node : report.nodes) {
    if ((node.status == NodeStatus::kSkipped || NeverBegan(node)) && !verbose && !HasFindings(node)) continue;
    out += "  " + NodeLine(node, width) + "\n";
    for (const auto& note : node.notes) out += "    " + note + "\n";
    if (Bad(node.status)) continue;
    AppendChecks(out, node, verbose);
    AppendRules(out, node, verbose);
    if (node.profile) AppendProfile(out, *node.profile);
  }
  for (const auto& node : report.nodes)
    if (Bad(node.status) && node.status != NodeStatus::kCancelled) AppendFailure(out, report, node);
  auto counts = CountByStatus(report);
  if (counts[NodeStatus::kCancelled] > 0) AppendInterrupted(out, report);
  std::vector<std::string> parts;
  for (const auto status :
       {NodeStatus::kOk, NodeStatus::kSkipped, NodeStatus::kRefused, NodeStatus::kFailed, NodeStatus::kBlocked, NodeStatus::kCancelled}) {
    if (counts[status] == 0) continue;
    parts.push_back(fmt::format("{} {}", counts[status], status == NodeStatus::kSkipped ? "up to date" : ToString(status)));
  }
  if (const auto stale = std::count_if(report.nodes.begin(), report.nodes.end(), IsStale); stale > 0)
    parts.push_back(fmt::format("{} stale", stale));
  const double seconds = static_cast<double>(report.finished.micros - report.started.micros) / 1e6;
  out += fmt::format("{} in {}\n", parts.empty() ? "nothing selected" : Join(parts, ", "), Seconds(seconds));
  return out;
}

ordered_json ToJson(const RunReport& report) {
  ordered_json out = {{"format", 1},
                      {"run", report.run_id},
                      {"trace", report.trace_id},
                      {"command", report.command},
                      {"project", report.project},
                      {"environment", report.environment},
                      {"lake", report.lake},
                      {"git_commit", report.git_commit},
                      {"started", FormatInstant(report.started)},
                      {"finished", FormatInstant(report.finished)},
                      {"exit_code", report.ExitCode()},
                      {"nodes", ordered_json::array()}};
  for (const auto& node : report.nodes) out["nodes"].push_back(ToJson(node));
  for (const auto& warning : report.warnings) out["warnings"].push_back(ToJson(warning));
  return out;
}

Result<std::string> RenderReport(const RunReport& report, const std::string& format) {
  if (format == "junit") return RenderJunit(report);
  if (format == "sarif") return RenderSarif(report);
  if (format == "md") return RenderMarkdown(report);
  static const std::vector<std::string> kFormats = {"junit", "sarif", "md"};
  return Fail(UserError("unknown-report-format", fmt::format("--report {} is not known{}", format, DidYouMean(format, kFormats)))
                  .Hint("one of junit, sarif, md"));
}

Status WriteRunFile(const std::string& project_root, const RunReport& report) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(project_root) / ".sluice" / "runs";
  std::error_code error;
  fs::create_directories(folder, error);
  const auto write = [&](const fs::path& path, const std::string& text) {
    const fs::path temporary = path.string() + ".new";
    std::ofstream out(temporary, std::ios::binary);
    out << text;
    out.close();
    if (!out) return false;
    fs::rename(temporary, path, error);
    return !error;
  };
  const std::string text = ToJson(report).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  if (!write(folder / (report.run_id + ".json"), text) || !write(folder / "last", report.run_id + "\n"))
    return Fail(
        RetryableError("run-file", "can't write the run file under " + folder.string()).Hint("is the disk full, or the folder read-only?"));
  return Ok();
}

std::map<std::string, std::string> LastResults(const std::string& project_root) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(project_root) / ".sluice" / "runs";
  std::string id;
  std::ifstream(folder / "last") >> id;
  std::map<std::string, std::string> results;
  std::ifstream in(folder / (id + ".json"));
  const auto run = nlohmann::json::parse(in, nullptr, false);
  if (!run.is_object() || !run.contains("nodes")) return results;
  for (const auto& node : run["nodes"]) results[node.value("table", "")] = node.value("status", "");
  return results;
}

}  // namespace sluice::run
