#pragma once
// How values of PostgreSQL's types come over the wire, and what they are to a contract (docs/postgres.md has the table). Pure.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "contract/type.h"

namespace sluice::sources::postgres {

// A row of pg_type.
struct CatalogType {
  uint32_t oid = 0;
  std::string name;       // "int4"
  bool built_in = true;   // in pg_catalog
  char kind = 'b';        // b: base, c: composite, d: domain, e: enum, m: multirange, p: pseudo, r: range
  uint32_t element = 0;   // of an array; 0: it is none
  uint32_t base = 0;      // of a domain
  int32_t modifier = -1;  // of a domain: that of its base
};
using CatalogTypes = std::map<uint32_t, CatalogType>;

enum class Wire {
  kBoolean,
  kInt2,
  kInt4,
  kInt8,
  kOid,
  kFloat4,
  kFloat8,
  kDecimal,  // numeric with a scale: decimal128
  kNumeric,  // numeric without one: its exact text
  kText,
  kJsonb,
  kBytea,
  kUuid,
  kDate,
  kTimestamp,
  kTimestampTz,
  kArray,
};

// What the server is asked to do with a column so that it comes in that form.
enum class Ask { kAsIs, kText, kTexts, kJson };

struct WireType {
  Wire wire = Wire::kText;
  Ask ask = Ask::kAsIs;
  int precision = 0, scale = 0;             // kDecimal
  std::shared_ptr<const WireType> element;  // kArray
};

// `types` has all that `oid` leads to; a type that it lacks is asked for as text.
WireType WireTypeOf(uint32_t oid, int32_t modifier, const CatalogTypes& types);

// The same of values that are asked for as texts: times and decimals come as the server writes them, for what a block's other values are
// must not show in a text.
WireType AsTexts(const WireType& type);

// A type of a contract that holds every value of it.
contract::DataType ContractTypeOf(const WireType& type);

// The item of a select list that gives column `name`: `"c"`, or `"c"::text AS "c"`.
std::string SelectItem(const std::string& name, const WireType& type);

}  // namespace sluice::sources::postgres
