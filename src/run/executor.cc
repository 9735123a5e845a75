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
    session_.RecordListings();
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
    context_.backfill = options_.backfill;
    context_.profiled = options_.profiled;
    for (const size_t node : options_.nodes) {
      waiting_.insert(node);
      width_ = std::max(width_, graph_.nodes[node].table.size());
    }
  }

  int Workers() const {
    const int wanted = options_.parallel > 0 ? options_.parallel : std::min(kMostAtOnce, session_.options().threads);
    return std::clamp<int>(wanted, 1, static_cast<int>(std::max<size_t>(1, options_.nodes.size())));
  }

  // Has everything that `node` reads, among the chosen nodes, been through? Reading on a check's behalf counts for the order only. What
  // `batch` makes itself is no matter, and a view is only what it reads.
  bool Ready(size_t node, const std::vector<size_t>& batch) const {
    const plan::Node& n = graph_.nodes[node];
    for (const auto* edges : {&n.inputs, &n.check_inputs})
      for (const std::string& table : *edges) {
        const size_t input = graph_.index.at(table);
        if (std::find(batch.begin(), batch.end(), input) != batch.end()) continue;
        if (graph_.nodes[input].is_view() && (batch.size() > 1 || !options_.nodes.contains(input))) {
          if (!Ready(input, batch)) return false;
        } else if (waiting_.contains(input) || running_.contains(input)) {
          return false;
        }
      }
    return true;
  }

  // The next batch: a node, or all those of a publish group. Empty: none is ready.
  std::vector<size_t> Next() {
    for (const size_t node : waiting_) {  // in the order of the graph
      std::vector<size_t> batch = graph_.BatchOf(node);
      if (std::all_of(batch.begin(), batch.end(), [&](size_t member) { return Ready(member, batch); })) return batch;
    }
    return {};
  }

  void Work() {
    std::unique_lock lock(mutex_);
    while (true) {
      std::vector<size_t> batch;
      changed_.wait(lock, [&] { return waiting_.empty() || !(batch = Next()).empty(); });
      if (waiting_.empty()) return;
      for (const size_t node : batch) {
        waiting_.erase(node);
        running_.insert(node);
      }
      std::vector<NodeReport> reports = Held(batch);
      if (reports.empty()) {
        lock.unlock();
        reports = RunWithRetries(batch);
        lock.lock();
      }
      for (const size_t node : batch) running_.erase(node);
      // Of the run, not of these nodes: said once, by whoever called.
      const bool busy = std::any_of(reports.begin(), reports.end(), [](const auto& r) { return r.error && r.error->code == "lake-busy"; });
      if (busy) {
        waiting_.clear();
        changed_.notify_all();
        return;
      }
      for (size_t i = 0; i < batch.size(); ++i) {
        stop_ |= options_.fail_fast && !Good(reports[i].status);
        Announce(reports[i]);
        reports_[batch[i]] = std::move(reports[i]);
      }
      changed_.notify_all();
    }
  }

  // The tables whose failure keeps a node from running. A view outside of the batch passes on what failed before it.
  std::set<std::string> Blockers(size_t node, const std::vector<size_t>& batch) const {
    std::set<std::string> out;
    for (const std::string& table : graph_.nodes[node].inputs) {
      const size_t at = graph_.index.at(table);
      const auto input = reports_.find(at);
      if (input == reports_.end() && graph_.nodes[at].is_view() && batch.size() > 1) out.merge(Blockers(at, batch));
      if (input == reports_.end() || Good(input->second.status)) continue;
      if (input->second.status == NodeStatus::kBlocked)
        out.insert(input->second.blocked_by.begin(), input->second.blocked_by.end());
      else
        out.insert(table);
    }
    return out;
  }

  // Reports for a batch that must not run: something before it failed, or the run was stopped. Empty: it may run.
  std::vector<NodeReport> Held(const std::vector<size_t>& batch) const {
    std::set<std::string> blockers;
    for (const size_t node : batch) blockers.merge(Blockers(node, batch));
    const bool cancelled = session_.cancelled();
    std::vector<NodeReport> reports;
    if (blockers.empty() && !cancelled && !stop_) return reports;
    for (const size_t node : batch) {
      NodeReport& report = reports.emplace_back(NewReport(graph_.nodes[node]));
      report.status = cancelled ? NodeStatus::kCancelled : NodeStatus::kBlocked;
      if (!cancelled) report.blocked_by.assign(blockers.begin(), blockers.end());
      if (!cancelled && blockers.empty()) report.why = "--fail-fast";
    }
    return reports;
  }

  // The error that another try may mend; null: there is none.
  static const NodeReport* Retryable(const std::vector<NodeReport>& reports) {
    for (const NodeReport& report : reports)
      if (report.status == NodeStatus::kFailed && report.error && report.error->kind == ErrorKind::kRetryable) return &report;
    return nullptr;
  }

  std::vector<NodeReport> RunWithRetries(const std::vector<size_t>& batch) {
    std::vector<const plan::Node*> nodes;
    for (const size_t node : batch) nodes.push_back(&graph_.nodes[node]);
    for (int attempt = 1;; ++attempt) {
      std::vector<NodeReport> reports = RunBatch(session_, nodes, context_);
      const NodeReport* failed = Retryable(reports);
      if (failed == nullptr || attempt == kTries || session_.cancelled()) return reports;
      const int64_t millis = (100LL << attempt) + static_cast<int64_t>(session_.random().Next() % 100);
      session_.Emit(
          {obs::Level::kWarn,
           obs::Kind::kMessage,
           failed->table,
           fmt::format("{}: {}; trying again in {} ms ({} of {})", failed->table, failed->error->message, millis, attempt + 1, kTries),
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
