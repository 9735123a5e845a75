#include "state/lease.h"

#include <fmt/format.h>

#include <mutex>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "core/time.h"

namespace sluice::state {
namespace {

using nlohmann::json;

constexpr int64_t kPollMillis = 500;
constexpr int kMostRaces = 100;

std::string KeyOf(const std::string& name) { return "_sluice/leases/" + PercentEncode(name, true) + ".json"; }

std::string RenderLease(const LeaseHolder& holder, bool released) {
  return json{{"host", holder.host},
              {"pid", holder.pid},
              {"process_start", holder.process_start},
              {"run_id", holder.run_id},
              {"since", FormatInstant(holder.since)},
              {"heartbeat", FormatInstant(holder.heartbeat)},
              {"released", released}}
             .dump() +
         "\n";
}

struct Seen {
  std::optional<LeaseHolder> holder;  // null: released, or not readable: nobody can claim it
  std::string bytes, etag;
};

std::optional<LeaseHolder> ParseLease(std::string_view bytes) {
  const json value = json::parse(bytes, nullptr, false);
  try {
    if (!value.is_object() || value.at("released").get<bool>()) return std::nullopt;
    const auto since = ParseInstant(value.at("since").get<std::string>());
    const auto heartbeat = ParseInstant(value.at("heartbeat").get<std::string>());
    if (!since || !heartbeat) return std::nullopt;
    return LeaseHolder{value.at("host"), value.at("pid"), value.at("process_start"), value.at("run_id"), *since, *heartbeat};
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

// The etag is read before the contents: a put that matches it replaces these contents or older ones, never newer.
Result<std::optional<Seen>> Look(store::ObjectStore& lake, const std::string& key) {
  auto meta = lake.Head(key);
  if (!meta && meta.error().kind == ErrorKind::kNotFound) return std::nullopt;
  if (!meta) return Fail(meta.error());
  auto bytes = lake.Get(key);
  if (!bytes && bytes.error().kind == ErrorKind::kNotFound) return std::nullopt;
  if (!bytes) return Fail(bytes.error());
  return Seen{ParseLease(*bytes), *bytes, meta->etag};
}

bool IsFree(const LeaseHolder& holder, Instant now, ProcessTable& processes) {
  if (holder.host == processes.Host() && processes.StartOf(holder.pid) != holder.process_start) return true;
  return now.micros - holder.heartbeat.micros > kLeaseSeconds * 1'000'000;
}

Error Busy(const LeaseHolder& holder) {
  return ConflictError("lake-busy", "another run is working here: " + holder.ToString())
      .Hint("wait for it with --wait; if it died, its lease is free a minute after its last heartbeat");
}

class HeldLease : public Lease {
 public:
  HeldLease(store::ObjectStore& lake, std::string key, Clock& clock, LeaseHolder self, std::string etag)
      : lake_(lake), key_(std::move(key)), clock_(clock), self_(std::move(self)), etag_(std::move(etag)) {}
  ~HeldLease() override { (void)Release(); }

  Status Beat() override {
    const std::lock_guard lock(mutex_);
    if (ended_) return Fail(Lost());
    self_.heartbeat = clock_.Now();
    return Write(RenderLease(self_, false));
  }

  Status Release() override {
    const std::lock_guard lock(mutex_);
    if (std::exchange(ended_, true)) return Ok();
    return Write(RenderLease(self_, true));
  }

 private:
  Error Lost() const { return ConflictError("lease-lost", "another run took the lease of run " + self_.run_id); }

  Status Write(const std::string& bytes) {
    SLUICE_TRY(const store::PutOutcome outcome, lake_.PutIfMatch(key_, bytes, etag_));
    if (outcome == store::PutOutcome::kExists) {
      ended_ = true;
      return Fail(Lost());
    }
    SLUICE_TRY(const auto now, Look(lake_, key_));
    if (now && now->bytes == bytes) {
      etag_ = now->etag;
      return Ok();
    }
    if (outcome == store::PutOutcome::kUnknown && now && now->etag == etag_) return Ok();  // it did not happen: the next beat comes
    ended_ = true;
    return Fail(Lost());
  }

  store::ObjectStore& lake_;
  const std::string key_;
  Clock& clock_;
  std::mutex mutex_;
  LeaseHolder self_;  // guarded by mutex_, as all below
  std::string etag_;
  bool ended_ = false;
};

// One try to take what `seen` shows as free. Null: someone was quicker.
Result<std::unique_ptr<Lease>> TryTake(store::ObjectStore& lake, const std::string& key, Clock& clock, const LeaseHolder& self,
                                       const std::optional<Seen>& seen) {
  const std::string bytes = RenderLease(self, false);
  SLUICE_CHECK(seen ? lake.PutIfMatch(key, bytes, seen->etag) : lake.PutIfAbsent(key, bytes));
  // Whatever the answer was, what stands there tells.
  SLUICE_TRY(const auto now, Look(lake, key));
  if (!now || now->bytes != bytes) return std::unique_ptr<Lease>();
  return std::make_unique<HeldLease>(lake, key, clock, self, now->etag);
}

}  // namespace

std::string LeaseHolder::ToString() const {
  return fmt::format("host {}, process {}, run {}, since {}", host, pid, run_id, FormatInstant(since));
}

Result<std::unique_ptr<Lease>> AcquireLease(store::ObjectStore& lake, const std::string& name, Clock& clock, ProcessTable& processes,
                                            const LeaseOptions& options) {
  const std::string key = KeyOf(name);
  const int64_t pid = processes.OwnPid();
  std::string announced;
  for (int races = 0; races < kMostRaces;) {
    if (options.cancelled && options.cancelled()) return Fail(CancelledError());
    SLUICE_TRY(const auto seen, Look(lake, key));
    const Instant now = clock.Now();
    if (!seen || !seen->holder || IsFree(*seen->holder, now, processes)) {
      const LeaseHolder self{processes.Host(), pid, processes.StartOf(pid).value_or(""), options.run_id, now, now};
      SLUICE_TRY(auto lease, TryTake(lake, key, clock, self, seen));
      if (lease) return lease;
      ++races;
      continue;
    }
    if (!options.wait) return Fail(Busy(*seen->holder));
    if (std::exchange(announced, seen->holder->run_id) != seen->holder->run_id && options.waiting) options.waiting(*seen->holder);
    clock.SleepMillis(kPollMillis);
  }
  return Fail(RetryableError("lease-contention", "too many runs start at once on this lake"));
}

Result<std::optional<LeaseHolder>> HolderOf(store::ObjectStore& lake, const std::string& name, Clock& clock, ProcessTable& processes) {
  SLUICE_TRY(const auto seen, Look(lake, KeyOf(name)));
  if (!seen || !seen->holder || IsFree(*seen->holder, clock.Now(), processes)) return std::nullopt;
  return seen->holder;
}

}  // namespace sluice::state
