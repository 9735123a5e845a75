#include "run/executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "core/text.h"
#include "run/node.h"
#include "state/lease.h"

namespace sluice::run {
namespace {

constexpr int kTries = 3;
constexpr int kMostAtOnce = 4;

bool Good(NodeStatus status) { return status == NodeStatus::kOk || status == NodeStatus::kSkipped; }

// The lake's lease, taken once, by the first node that is about to write.
class LakeLease {
 public:
  LakeLease(Session& session, std::string run_id, bool wait) : session_(session), run_id_(std::move(run_id)), wait_(wait) {}

  Status Take() {
    std::lock_guard lock(mutex_);
    if (taken_) return Ok();
    if (failure_) return Fail(*failure_);
    state::LeaseOptions options;
    options.run_id = run_id_;
    options.wait = wait_;
    options.cancelled = [this] { return session_.cancelled(); };
    options.waiting = [this](const state::LeaseHolder& holder) {
      session_.Emit({obs::Level::kInfo, obs::Kind::kMessage, "", "waiting for " + holder.ToString(), 0, 0, {}});
    };
    auto lease = state::AcquireLease(session_.lake(), "run", session_.clock(), state::SystemProcesses(), options);
    if (!lease) {
      failure_ = lease.error();
      return Fail(*failure_);
    }
    lease_ = std::move(*lease);
    heartbeat_ = std::make_unique<state::Heartbeat>(*lease_);
    taken_ = true;
    return Ok();
  }
  std::optional<Error> failure() const { return failure_; }

 private:
  Session& session_;
  std::string run_id_;
  bool wait_;
  std::mutex mutex_;
  bool taken_ = false;
  std::optional<Error> failure_;
  std::unique_ptr<state::Lease> lease_;
  std::unique_ptr<state::Heartbeat> heartbeat_;  // ends before the lease
};

class Executor {
 public:
  Executor(Session& session, const plan::Graph& graph, const RunOptions& options) : session_(session), graph_(graph), options_(options) {}

  Result<RunReport> Run() {
    Begin();
    LakeLease lease(session_, report_.run_id, options_.wait);
    if (options_.wait) SLUICE_CHECK(lease.Take());
    context_.before_writing = [&lease] { return lease.Take(); };
    const int workers = Workers();
    context_.threads_per_node = std::max(1, session_.options().threads);
    context_.memory_per_node = std::max<int64_t>(64LL << 20, session_.options().memory_bytes / 4 / workers);
    std::vector<std::jthread> threads;
    for (int i = 1; i < workers; ++i) threads.emplace_back([this] { Work(); });
    Work();
    threads.clear();
    if (lease.failure()) return Fail(*lease.failure());
    return Finished();
  }

 private:
  void Begin() {
    report_.run_id = options_.run_id.empty() ? NewUuid(session_.clock(), session_.random()) : options_.run_id;
    report_.trace_id = options_.trace_id.empty() ? NewTraceId(session_.random()) : options_.trace_id;
    report_.project = session_.project().name;
    report_.environment = session_.project().environment.name;
    report_.lake = session_.project().lake;
    report_.git_commit = GitCommit(session_.project().root);
    report_.command = options_.command;
    report_.started = session_.clock().Now();
    report_.warnings = session_.project().warnings;
    report_.warnings.insert(report_.warnings.end(), graph_.warnings.begin(), graph_.warnings.end());
    context_.run_id = report_.run_id;
    context_.started = report_.started;
    context_.command = options_.command;
    context_.full_refresh = options_.full_refresh;
    context_.reload_sources = options_.reload_sources;
    context_.forced = options_.forced;
    for (const size_t node : options_.nodes) {
      waiting_.insert(node);
      width_ = std::max(width_, graph_.nodes[node].table.size());
    }
  }

  int Workers() const {
    const int wanted = options_.parallel > 0 ? options_.parallel : std::min(kMostAtOnce, session_.options().threads);
    return std::clamp<int>(wanted, 1, static_cast<int>(std::max<size_t>(1, options_.nodes.size())));
  }

  // Has everything that `node` reads, among the chosen nodes, been through? Reading on a check's behalf counts for the order only.
  bool Ready(size_t node) const {
    const plan::Node& n = graph_.nodes[node];
    for (const auto* edges : {&n.inputs, &n.check_inputs})
      for (const std::string& table : *edges) {
        const size_t input = graph_.index.at(table);
        if (waiting_.contains(input) || running_.contains(input)) return false;
        if (graph_.nodes[input].is_view() && !options_.nodes.contains(input) && !Ready(input)) return false;  // what it reads counts
      }
    return true;
  }

  std::optional<size_t> Next() {
    for (const size_t node : waiting_)  // in the order of the graph
      if (Ready(node)) return node;
    return std::nullopt;
  }

  void Work() {
    std::unique_lock lock(mutex_);
    while (true) {
      std::optional<size_t> node;
      changed_.wait(lock, [&] { return waiting_.empty() || (node = Next()).has_value(); });
      if (waiting_.empty()) return;
      waiting_.erase(*node);
      running_.insert(*node);
      NodeReport report = Held(*node);
      if (report.table.empty()) {
        lock.unlock();
        report = RunWithRetries(graph_.nodes[*node]);
        lock.lock();
      }
      running_.erase(*node);
      stop_ |= options_.fail_fast && !Good(report.status);
      Announce(report);
      reports_[*node] = std::move(report);
      changed_.notify_all();
    }
  }

  // A report for a node that must not run: something before it failed, or the run was stopped. Empty table: it may run.
  NodeReport Held(size_t node) const {
    NodeReport report;
    const plan::Node& n = graph_.nodes[node];
    for (const std::string& table : n.inputs) {
      const auto input = reports_.find(graph_.index.at(table));
      if (input == reports_.end() || Good(input->second.status)) continue;
      if (input->second.status == NodeStatus::kBlocked)
        report.blocked_by.insert(report.blocked_by.end(), input->second.blocked_by.begin(), input->second.blocked_by.end());
      else
        report.blocked_by.push_back(table);
    }
    std::sort(report.blocked_by.begin(), report.blocked_by.end());
    report.blocked_by.erase(std::unique(report.blocked_by.begin(), report.blocked_by.end()), report.blocked_by.end());
    const bool cancelled = session_.cancelled();
    if (report.blocked_by.empty() && !cancelled && !stop_) return {};
    report.table = n.table;
    report.kind = n.source ? "source" : n.seed ? "seed" : "model";
    report.status = cancelled ? NodeStatus::kCancelled : NodeStatus::kBlocked;
    if (cancelled)
      report.blocked_by.clear();
    else if (report.blocked_by.empty())
      report.why = "--fail-fast";
    return report;
  }

  NodeReport RunWithRetries(const plan::Node& node) {
    for (int attempt = 1;; ++attempt) {
      NodeReport report = RunNode(session_, node, context_);
      const bool retry = report.status == NodeStatus::kFailed && report.error && report.error->kind == ErrorKind::kRetryable &&
                         attempt < kTries && !session_.cancelled();
      if (!retry) return report;
      const int64_t millis = (100LL << attempt) + static_cast<int64_t>(session_.random().Next() % 100);
      session_.Emit(
          {obs::Level::kWarn,
           obs::Kind::kMessage,
           node.table,
           fmt::format("{}: {}; trying again in {} ms ({} of {})", node.table, report.error->message, millis, attempt + 1, kTries),
           0,
           0,
           {}});
      session_.clock().SleepMillis(millis);
    }
  }

  void Announce(const NodeReport& report) {
    const bool bad = report.status == NodeStatus::kFailed || report.status == NodeStatus::kRefused;
    const bool quiet = report.status == NodeStatus::kSkipped || (report.status == NodeStatus::kCancelled && report.seconds == 0);
    const obs::Level level = quiet ? obs::Level::kDebug : bad ? obs::Level::kError : obs::Level::kInfo;
    session_.Emit({level, obs::Kind::kNodeFinished, report.table, NodeLine(report, width_), 0, 0, {}});
  }

  RunReport Finished() {
    for (auto& [node, report] : reports_) report_.nodes.push_back(std::move(report));
    report_.finished = session_.clock().Now();
    return std::move(report_);
  }

  Session& session_;
  const plan::Graph& graph_;
  const RunOptions& options_;
  RunContext context_;
  RunReport report_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<size_t> waiting_, running_;
  std::map<size_t, NodeReport> reports_;
  bool stop_ = false;
  size_t width_ = 0;
};

}  // namespace

std::string NewTraceId(Random& random) { return Hex(random.Next()) + Hex(random.Next()); }

Result<RunReport> RunNodes(Session& session, const RunOptions& options) {
  SLUICE_TRY(const plan::Graph* graph, session.graph());
  return Executor(session, *graph, options).Run();
}

std::string GitCommit(const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  for (fs::path at = fs::absolute(folder, error); !error; at = at.parent_path()) {
    std::string head;
    std::ifstream in(at / ".git" / "HEAD");
    if (std::getline(in, head)) {
      if (!head.starts_with("ref: ")) return head.substr(0, 10);
      std::string commit;
      std::ifstream(at / ".git" / head.substr(5)) >> commit;
      return commit.substr(0, 10);
    }
    if (at == at.parent_path()) break;
  }
  return "";
}

}  // namespace sluice::run
