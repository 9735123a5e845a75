#pragma once
// Handling of DuckDB's syntax trees as JSON (json_serialize_sql). The trees stay DuckDB's own: nothing here lists all node classes,
// walks go over whatever members there are.
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

namespace sluice::engines {

using Json = nlohmann::json;

constexpr uint64_t kNoPosition = UINT64_MAX;

// "" where the member is absent or no string.
const std::string& Text(const Json& node, const char* member);
bool Is(const Json& node, const char* member, std::string_view value);
inline bool IsClass(const Json& node, std::string_view value) { return Is(node, "class", value); }
inline bool IsType(const Json& node, std::string_view value) { return Is(node, "type", value); }
uint64_t Position(const Json& node);  // query_location, or kNoPosition
bool IsQueryNode(const Json& value);  // SELECT_NODE, SET_OPERATION_NODE, RECURSIVE_CTE_NODE, CTE_NODE

// Lower-case names of the common table expressions that a place can see.
using Scope = std::set<std::string>;

// Calls `visit` for every object that has a "type" or "class", outermost first; it returns whether to go on inside.
void Walk(Json& root, const Scope& scope, const std::function<bool(Json& node, const Scope& scope)>& visit);
void Walk(const Json& root, const std::function<bool(const Json& node, const Scope& scope)>& visit);

// The first position of any node inside, in text order; kNoPosition if there is none.
uint64_t FirstPosition(const Json& root);

// Equal but for positions? Where so, `positions` (optional) gains b's positions → a's.
bool SameTree(const Json& a, const Json& b, std::map<uint64_t, uint64_t>* positions);
// Of all but positions; stable across runs and machines.
uint64_t Fingerprint(const Json& root);
void SetPositions(Json& root, uint64_t position);

// The FROM items of a SELECT node that are no joins, left to right.
void ForEachSource(Json& table_ref, const std::function<void(Json&)>& visit);

// Members that json_deserialize_sql insists on.
Json BaseTable(const std::string& name, const std::string& alias, uint64_t position);
Json ParameterNode(const std::string& name, uint64_t position);
Json CastNode(Json child, const std::string& type_id, uint64_t position);
Json TextConstant(const std::string& text, uint64_t position);

}  // namespace sluice::engines
