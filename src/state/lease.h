#pragma once
// Who is working here? One run per lake and one batch writer per node, for economy and for a clear message; correctness never
// rests on a lease. A lease whose process is dead on this host is free at once, else after 60 s without a heartbeat.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/clock.h"
#include "core/result.h"
#include "store/object_store.h"

namespace sluice::state {

struct LeaseHolder {
  std::string host;
  int64_t pid = 0;
  std::string process_start;  // tells a process from a later one with its number
  std::string run_id;
  Instant since, heartbeat;
  std::string ToString() const;  // "host box, process 4711, run 0190…, since 2024-01-31T10:00:00Z"
  bool operator==(const LeaseHolder&) const = default;
};

// What this machine knows of its processes.
class ProcessTable {
 public:
  virtual ~ProcessTable() = default;
  virtual std::string Host() = 0;
  virtual int64_t OwnPid() = 0;
  // When the process began, in the machine's own terms; nullopt if there is none of that number.
  virtual std::optional<std::string> StartOf(int64_t pid) = 0;
};
ProcessTable& SystemProcesses();  // /proc

struct LeaseOptions {
  std::string run_id;
  bool wait = false;                                // until it is free
  std::function<void(const LeaseHolder&)> waiting;  // called once for each holder waited for
  std::function<bool()> cancelled;
};

constexpr int64_t kLeaseSeconds = 60;  // without a heartbeat it is free
constexpr int64_t kHeartbeatSeconds = 15;

// A lease held. Thread-safe. Destroying it releases it, as well as it can.
class Lease {
 public:
  virtual ~Lease() = default;
  // Says that the holder lives. Error kConflict "lease-lost" if another took it: then still nothing is wrong but the economy.
  virtual Status Beat() = 0;
  virtual Status Release() = 0;
};

// `name`: "run" for the lake's, "node/<node>" for a batch writer's. Error kConflict "lake-busy" naming the holder (hint: --wait).
Result<std::unique_ptr<Lease>> AcquireLease(store::ObjectStore& lake, const std::string& name, Clock& clock, ProcessTable& processes,
                                            const LeaseOptions& options);
// Who holds it now, if anyone who still lives.
Result<std::optional<LeaseHolder>> HolderOf(store::ObjectStore& lake, const std::string& name, Clock& clock, ProcessTable& processes);

// A thread that beats a lease every kHeartbeatSeconds until destroyed.
class Heartbeat {
 public:
  explicit Heartbeat(Lease& lease, int64_t every_millis = kHeartbeatSeconds * 1000);
  ~Heartbeat();
  // The first error of a beat, if any.
  std::optional<Error> failure() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice::state
