#include "store/faulty_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <type_traits>

namespace sluice::store {
namespace {

Error Killed() { return RetryableError("killed", "this process was killed by an injected fault"); }

Error Injected(const Operation& operation) {
  return RetryableError("injected-fault", fmt::format("operation {} failed by an injected fault", operation.ToString()));
}

// What a caller sees whose answer was lost.
template <typename R>
R Lost(const Operation& operation) {
  if constexpr (std::is_same_v<R, Result<PutOutcome>>) {
    return PutOutcome::kUnknown;
  } else {
    return Fail(RetryableError("lost-answer", fmt::format("no answer to operation {}", operation.ToString())));
  }
}

}  // namespace

std::string_view Name(OperationKind kind) {
  switch (kind) {
    case OperationKind::kList:
      return "list";
    case OperationKind::kHead:
      return "head";
    case OperationKind::kGet:
      return "get";
    case OperationKind::kGetRange:
      return "get-range";
    case OperationKind::kPut:
      return "put";
    case OperationKind::kPutIfAbsent:
      return "put-if-absent";
    case OperationKind::kPutIfMatch:
      return "put-if-match";
    case OperationKind::kOpenWriter:
      return "open-writer";
    case OperationKind::kWrite:
      return "write";
    case OperationKind::kClose:
      return "close";
    case OperationKind::kDelete:
      return "delete";
  }
  return "?";
}

bool IsRead(OperationKind kind) {
  return kind == OperationKind::kList || kind == OperationKind::kHead || kind == OperationKind::kGet || kind == OperationKind::kGetRange;
}

std::string Operation::ToString() const { return fmt::format("{} {} {}", number, Name(kind), key); }

// One operation on the inner store.
template <typename R>
struct Act {
  std::function<R()> now;
  std::function<std::function<void()>()> later = [] { return [] {}; };  // the same, owning its arguments
  std::function<void()> half = [] {};                                   // what is left of it when it breaks off
};

// Decides what becomes of each operation. A kill takes `alive` exclusively: no operation that began before it, on another
// thread, reaches the inner store after it.
struct FaultyStore::Injector {
  explicit Injector(FaultyOptions given) : options(std::move(given)) {
    for (const Fault& fault : options.faults) faults[fault.at] = fault;
  }

  // R: what the method returns.
  template <typename R>
  R Run(OperationKind kind, std::string_view key, const Act<R>& act) {
    if (kind == OperationKind::kWrite && !options.count_pieces) return Alive(act.now);
    const Operation operation = Begin(kind, key);
    if (options.before) options.before(operation);
    LandDue(operation.number);
    const auto found = faults.find(operation.number);
    if (found == faults.end()) return Alive(act.now);
    return Strike(found->second, operation, act);
  }

  template <typename R>
  R Strike(const Fault& fault, const Operation& operation, const Act<R>& act) {
    switch (fault.kind) {
      case FaultKind::kFail:
        return Alive<R>([&]() -> R { return Fail(Injected(operation)); });
      case FaultKind::kLoseRequest:
        return Alive<R>([&] { return Lost<R>(operation); });
      case FaultKind::kLoseAnswer:
        return Alive<R>([&] {
          if (!IsRead(operation.kind)) act.now();
          return Lost<R>(operation);
        });
      case FaultKind::kLate:
        return Alive<R>([&] {
          if (!IsRead(operation.kind)) Delay(operation.number + fault.late_by, act.later());
          return Lost<R>(operation);
        });
      case FaultKind::kDuplicate:
        return Alive<R>([&] {
          (void)act.now();
          return act.now();
        });
      case FaultKind::kTruncate:
        return Alive<R>([&] {
          act.half();
          return Lost<R>(operation);
        });
      case FaultKind::kKillBefore:
      case FaultKind::kKillAfter: {
        const std::unique_lock lock(alive);
        if (!killed && fault.kind == FaultKind::kKillAfter) act.now();
        killed = true;
        return Fail(Killed());
      }
    }
    return Fail(BugError("unknown kind of fault"));
  }

  template <typename R>
  R Alive(const std::function<R()>& act) {
    const std::shared_lock lock(alive);
    if (killed) return Fail(Killed());
    return act();
  }

  Operation Begin(OperationKind kind, std::string_view key) {
    const std::lock_guard lock(mutex);
    log.push_back({static_cast<int64_t>(log.size()) + 1, kind, std::string(key)});
    return log.back();
  }

  void Delay(int64_t until, std::function<void()> act) {
    const std::lock_guard lock(mutex);
    late.emplace(until, std::move(act));
  }

  // `now` is the number of the operation that is about to happen.
  void LandDue(int64_t now) {
    std::vector<std::function<void()>> due;
    {
      const std::lock_guard lock(mutex);
      const auto end = late.upper_bound(now);
      for (auto at = late.begin(); at != end; ++at) due.push_back(std::move(at->second));
      late.erase(late.begin(), end);
    }
    for (const auto& act : due) act();
  }

  FaultyOptions options;
  std::map<int64_t, Fault> faults;
  std::shared_mutex alive;
  bool killed = false;  // guarded by alive
  mutable std::mutex mutex;
  std::vector<Operation> log;                          // guarded by mutex
  std::multimap<int64_t, std::function<void()>> late;  // guarded by mutex
};

namespace {

void PutHalf(ObjectStore& store, std::string_view key, std::string_view bytes) { (void)store.Put(key, bytes.substr(0, bytes.size() / 2)); }

}  // namespace

// A piece or a close that is lost or late leaves a stream that cannot be published: there is no second Close.
class FaultyWriter : public ObjectWriter {
 public:
  FaultyWriter(std::unique_ptr<ObjectWriter> inner, ObjectStore& store, std::shared_ptr<FaultyStore::Injector> injector,
               std::string_view key)
      : inner_(std::move(inner)), store_(store), injector_(std::move(injector)), key_(key) {}

  Status Write(std::string_view bytes) override {
    return injector_->Run<Status>(OperationKind::kWrite, key_, {[&] { return inner_->Write(bytes); }});
  }
  Status Close() override {
    return injector_->Run<Status>(
        OperationKind::kClose, key_,
        {.now = [&] { return inner_->Close(); },
         .later = [this] { return [inner = std::shared_ptr<ObjectWriter>(std::move(inner_))] { (void)inner->Close(); }; },
         .half = [this] { CloseHalf(); }});
  }

 private:
  void CloseHalf() {
    if (!inner_->Close()) return;
    if (const auto whole = store_.Get(key_)) PutHalf(store_, key_, *whole);
  }

  std::unique_ptr<ObjectWriter> inner_;
  ObjectStore& store_;
  std::shared_ptr<FaultyStore::Injector> injector_;
  std::string key_;
};

FaultyStore::FaultyStore(ObjectStore& inner, FaultyOptions options)
    : inner_(inner), injector_(std::make_shared<Injector>(std::move(options))) {}

FaultyStore::FaultyStore(std::unique_ptr<ObjectStore> inner, FaultyOptions options)
    : owned_(std::move(inner)), inner_(*owned_), injector_(std::make_shared<Injector>(std::move(options))) {}

FaultyStore::~FaultyStore() = default;

std::vector<Operation> FaultyStore::operations() const {
  const std::lock_guard lock(injector_->mutex);
  return injector_->log;
}

int64_t FaultyStore::operation_count() const {
  const std::lock_guard lock(injector_->mutex);
  return static_cast<int64_t>(injector_->log.size());
}

bool FaultyStore::killed() const {
  const std::shared_lock lock(injector_->alive);
  return injector_->killed;
}

void FaultyStore::Kill() {
  const std::unique_lock lock(injector_->alive);
  injector_->killed = true;
}

void FaultyStore::LandLate() { injector_->LandDue(INT64_MAX); }

Result<std::vector<ObjectMeta>> FaultyStore::List(std::string_view prefix, std::string_view start_after) {
  return injector_->Run<Result<std::vector<ObjectMeta>>>(OperationKind::kList, prefix, {[&] { return inner_.List(prefix, start_after); }});
}

Result<ObjectMeta> FaultyStore::Head(std::string_view key) {
  return injector_->Run<Result<ObjectMeta>>(OperationKind::kHead, key, {[&] { return inner_.Head(key); }});
}

Result<std::string> FaultyStore::Get(std::string_view key) {
  return injector_->Run<Result<std::string>>(OperationKind::kGet, key, {[&] { return inner_.Get(key); }});
}

Result<std::string> FaultyStore::GetRange(std::string_view key, int64_t offset, int64_t length) {
  return injector_->Run<Result<std::string>>(OperationKind::kGetRange, key, {[&] { return inner_.GetRange(key, offset, length); }});
}

Status FaultyStore::Put(std::string_view key, std::string_view bytes) {
  return injector_->Run<Status>(OperationKind::kPut, key,
                                {.now = [&] { return inner_.Put(key, bytes); },
                                 .later = [&] { return [this, k = std::string(key), b = std::string(bytes)] { (void)inner_.Put(k, b); }; },
                                 .half = [&] { PutHalf(inner_, key, bytes); }});
}

Result<PutOutcome> FaultyStore::PutIfAbsent(std::string_view key, std::string_view bytes) {
  return injector_->Run<Result<PutOutcome>>(
      OperationKind::kPutIfAbsent, key,
      {.now = [&] { return inner_.PutIfAbsent(key, bytes); },
       .later = [&] { return [this, k = std::string(key), b = std::string(bytes)] { (void)inner_.PutIfAbsent(k, b); }; }});
}

Result<PutOutcome> FaultyStore::PutIfMatch(std::string_view key, std::string_view bytes, std::string_view etag) {
  return injector_->Run<Result<PutOutcome>>(OperationKind::kPutIfMatch, key,
                                            {.now = [&] { return inner_.PutIfMatch(key, bytes, etag); },
                                             .later =
                                                 [&] {
                                                   return [this, k = std::string(key), b = std::string(bytes), e = std::string(etag)] {
                                                     (void)inner_.PutIfMatch(k, b, e);
                                                   };
                                                 }});
}

Result<std::unique_ptr<ObjectWriter>> FaultyStore::OpenWriter(std::string_view key) {
  using R = Result<std::unique_ptr<ObjectWriter>>;
  return injector_->Run<R>(OperationKind::kOpenWriter, key, {[&]() -> R {
                             SLUICE_TRY(auto writer, inner_.OpenWriter(key));
                             return std::make_unique<FaultyWriter>(std::move(writer), inner_, injector_, key);
                           }});
}

Status FaultyStore::Delete(std::string_view key) {
  return injector_->Run<Status>(
      OperationKind::kDelete, key,
      {.now = [&] { return inner_.Delete(key); }, .later = [&] { return [this, k = std::string(key)] { (void)inner_.Delete(k); }; }});
}

}  // namespace sluice::store
