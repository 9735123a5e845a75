#pragma once
// Validate and build, the last stages: specs in, the Project's values out. Each function adds its errors to `diagnostics` and gives what
// it could make; the caller gives nothing out if there are errors.
#include <string>
#include <vector>

#include "contract/literal.h"
#include "core/error.h"
#include "project/files.h"
#include "project/spec.h"

namespace sluice::project {

// Where a check stands, and so what it may say.
struct CheckScope {
  std::string table;                 // "silver.orders"
  std::vector<std::string> columns;  // known ones; empty: not known here
};
std::vector<Check> BuildChecks(const std::vector<CheckSpec>& specs, const CheckScope& scope, Diagnostics& diagnostics);

contract::Contract BuildContract(const ContractSpec& spec, sources::FileFormat format, const std::string& project_zone,
                                 Diagnostics& diagnostics);
// The rules of a contract: predicates over one row, those of the column vocabulary lowered to SQL.
std::vector<contract::SqlRule> BuildRules(const std::vector<CheckSpec>& specs, const std::vector<contract::ColumnContract>& columns,
                                          Diagnostics& diagnostics);

// What min, max, values and default are written in, as a value of the type; a timestamp without a zone is in `zone`. nullopt after an
// error "bad-literal" that begins with `key`.
std::optional<contract::Literal> CheckLiteral(const PlacedText& text, const contract::DataType& type, std::string_view zone,
                                              std::string_view key, Diagnostics& diagnostics);
// False where the file gives `key` as an empty list, which nothing meets: "empty-range".
bool CheckSomeValues(const config::GivenKeys& given, const Texts& values, std::string_view key, Diagnostics& diagnostics);

// The table of another owner that a source with `load: external` reads; refuses the keys that belong to ingest.
External BuildExternal(const SourceSpec& spec, const Connection& connection, Diagnostics& diagnostics);
const config::GivenKey* FindGiven(const config::GivenKeys& given, std::string_view name);  // null: the file does not say it
// Is it a path below the connection's? Else "bad-glob" (or `code`), placed.
bool CheckBelowConnection(const PlacedText& path, std::string_view key, const std::string& code, Diagnostics& diagnostics);

// A place on this machine: absolute, resolved against the project's folder; or the URL of one in an object store.
std::string ResolvePlace(const PlacedText& text, const std::string& root, Diagnostics& diagnostics);
Connection BuildConnection(const std::string& name, const ConnectionSpec& spec, const std::string& root, Diagnostics& diagnostics);
HttpConnection BuildHttp(const std::string& name, const ConnectionSpec& spec, Diagnostics& diagnostics);
// Late texts of a connection.
Late LateOf(const std::optional<config::PlacedText>& text);
void RefusePlainSecret(const std::optional<config::PlacedText>& text, std::string_view key, Diagnostics& diagnostics);
void RequireKey(const std::string& what, const config::GivenKeys& given, const Location& where, std::string_view key, std::string_view hint,
                Diagnostics& diagnostics);
Result<sources::postgres::Settings> ResolvePostgres(const Connection& connection);
Result<sources::http::Settings> ResolveHttp(const Connection& connection);
Result<std::string> ResolveText(const Late& late, const Connection& connection);
Result<std::string> ResolveFile(const Late& late, const Connection& connection);
void WarnOfTls(const Connection& connection, std::vector<Error>& warnings);

// What of a database a source reads; refuses the keys of files. And the other way round.
bool IsCommand(const SourceSpec& spec);
sources::RowsRead BuildCommand(const SourceSpec& spec, Diagnostics& diagnostics);
sources::RowsRead BuildRequests(const SourceSpec& spec, Diagnostics& diagnostics);  // of an API
void TakeLookback(const SourceSpec& spec, sources::RowsRead* rows, Diagnostics& diagnostics);
sources::RowsRead BuildRows(const SourceSpec& spec, Diagnostics& diagnostics);
void RefuseKeysOfRows(const SourceSpec& spec, Diagnostics& diagnostics);
// The name of the bronze table: of one of a database's many tables `as`, or its own without the schema.
PlacedText NameOfTable(const SourceSpec& spec, bool rows);
bool IsTablePattern(const SourceSpec& spec);  // "public.inv_*", of a file's many tables

Source BuildSource(const SourceSpec& spec, const Project& project, bool zone_is_said, Diagnostics& diagnostics);
std::string Fingerprint(const Source& source, const std::string& root);

Model BuildModel(const ModelSpec& spec, const ModelFile& file, const Project& project, Diagnostics& diagnostics);

// The statements of a macro file. Errors "bad-macro": a statement that is no CREATE MACRO.
std::vector<Macro> BuildMacros(const MacroFile& file, Diagnostics& diagnostics);

// What only the whole project can tell: tables that two nodes make, names that lead nowhere.
void CheckProject(const Project& project, Diagnostics& diagnostics);

// Shared by sources and models.
std::optional<Maintenance> BuildMaintenance(const std::optional<MaintenanceSpec>& spec, Diagnostics& diagnostics);
Properties BuildProperties(const PropertiesSpec& spec, const Project& project, Diagnostics& diagnostics);
void CheckPartitioning(const Texts& partition_by, const std::vector<contract::ColumnContract>& columns, Diagnostics& diagnostics);
// Each of `names` is one of `columns` (case aside) or a metadata column: else "unknown-column" with a suggestion. `of` ends the sentence.
void CheckColumns(const Texts& names, const std::vector<std::string>& columns, std::string_view what, std::string_view of,
                  Diagnostics& diagnostics);

}  // namespace sluice::project
