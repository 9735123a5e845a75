#pragma once
// The data of examples/retail: a made-up company's exports, dumps, event streams and CRM, with the dirt that real ones have, and
// beside it the truth of what was planted.
#include <cstdint>
#include <string>

#include "core/result.h"

namespace sluice::cli::retail {

inline constexpr int kDeliveries = 3;

struct RetailOptions {
  std::string out_dir;       // made if absent; files of the same name are overwritten
  int64_t orders = 100'000;  // distinct orders before dirt
  int64_t events = 50'000;   // over the four event streams
  int64_t crm = 30'000;      // accounts, contacts and opportunities together
  uint64_t seed = 42;        // same options, same bytes
  int days = 90;             // of business from 2026-01-01 on; at least 3
  // The data arrive in kDeliveries parts: the first 80% of the days, then twice 10%. 0 writes them all, as one batch would see
  // them; k writes the files of the k-th only, and truth.json says what must hold after a run upon each delivery 1…k.
  int part = 0;
};

// Writes <out_dir>/{warehouse,dumps,events,crm,finance,offices}/… and <out_dir>/truth.json.
// Errors: "bad-option" (kUser), "cannot-write" (kRetryable); files already written stay.
Status GenerateRetail(const RetailOptions& options);

}  // namespace sluice::cli::retail
