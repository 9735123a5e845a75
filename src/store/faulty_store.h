#pragma once
// A store that fails on purpose: what a disk, a network or a killed process can do to a run, at a chosen operation.
//
//   FaultyStore count(inner);                      // counts only: count.operations() lists every operation of a run
//   FaultyStore faulty(inner, {{.at = 17, .kind = FaultKind::kKillAfter}});
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "store/remote.h"

namespace sluice::store {

enum class FaultKind {
  kFail,         // nothing happens; a retryable error, code "injected-fault"
  kLoseAnswer,   // it happens, but the answer is lost
  kLoseRequest,  // it does not happen, and the answer is lost
  kLate,         // the answer is lost, and it happens `late_by` operations later (or when LandLate is called)
  kDuplicate,    // it happens twice, as when a client sends a request again that had arrived; the answer is the second one's
  kTruncate,     // the connection, or the power, breaks off within it; the answer is lost
  kKillBefore,   // the process dies just before
  kKillAfter,    // the process dies just after
};
// A lost answer is PutOutcome::kUnknown where the method can say so, else a retryable error, code "lost-answer". A read has nothing
// that can happen: lost or late, it is that error.
// Truncated, a Put or a stream leaves the first half of its bytes under its key, as no store that keeps the contract would: a file
// system without a journal, a proxy between. A conditional put is all or nothing everywhere: nothing of it is there.
// After a kill every operation of this instance, its writers included, fails with code "killed", and nothing reaches the inner
// store any more. What a killed writer had written is not visible.

struct Fault {
  int64_t at = 0;  // the number of the operation, from 1
  FaultKind kind = FaultKind::kFail;
  int64_t late_by = 1;
};

enum class OperationKind { kList, kHead, kGet, kGetRange, kPut, kPutIfAbsent, kPutIfMatch, kOpenWriter, kWrite, kClose, kDelete };
std::string_view Name(OperationKind kind);
bool IsRead(OperationKind kind);

struct Operation {
  int64_t number = 0;  // from 1, in the order in which they began
  OperationKind kind = OperationKind::kGet;
  std::string key;               // the prefix, for a list
  std::string ToString() const;  // "17 put-if-absent _sluice/…"
};

struct FaultyOptions {
  std::vector<Fault> faults;
  // Are the pieces of a streamed object operations of their own? They are many, and a death within a stream looks like one
  // before its Close. Uncounted pieces still fail after a kill.
  bool count_pieces = false;
  // Called before each counted operation, without any lock held: may use another store over the same inner one, and so play a
  // second process that runs while this one is held up.
  std::function<void(const Operation&)> before;
};

class FaultyStore : public ObjectStore, public Networked {
 public:
  // Over an inner store that outlives it, or that it owns.
  explicit FaultyStore(ObjectStore& inner, FaultyOptions options = {});
  explicit FaultyStore(std::unique_ptr<ObjectStore> inner, FaultyOptions options = {});
  ~FaultyStore() override;

  std::vector<Operation> operations() const;
  int64_t operation_count() const;
  bool killed() const;
  // The process dies now, between two operations.
  void Kill();
  // Lets the late operations that are still under way happen now. (They do after a kill too: they had left the process.)
  void LandLate();

  Result<std::vector<ObjectMeta>> List(std::string_view prefix, std::string_view start_after) override;
  Result<ObjectMeta> Head(std::string_view key) override;
  Result<std::string> Get(std::string_view key) override;
  Result<std::string> GetRange(std::string_view key, int64_t offset, int64_t length) override;
  Status Put(std::string_view key, std::string_view bytes) override;
  Result<PutOutcome> PutIfAbsent(std::string_view key, std::string_view bytes) override;
  Result<PutOutcome> PutIfMatch(std::string_view key, std::string_view bytes, std::string_view etag) override;
  Result<std::unique_ptr<ObjectWriter>> OpenWriter(std::string_view key) override;
  Status Delete(std::string_view key) override;
  std::string Uri(std::string_view key) const override { return inner_.Uri(key); }
  Result<std::unique_ptr<RemoteAccess>> Access() override { return AccessOf(inner_); }
  // Each of them is an operation.
  Status DeleteAll(const std::vector<std::string>& keys) override {
    for (const std::string& key : keys) SLUICE_CHECK(Delete(key));
    return Ok();
  }

 private:
  friend class FaultyWriter;
  // Shared with the writers, which may outlive a killed run's store.
  struct Injector;

  std::unique_ptr<ObjectStore> owned_;
  ObjectStore& inner_;
  std::shared_ptr<Injector> injector_;
};

}  // namespace sluice::store
