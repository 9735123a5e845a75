#pragma once
// The project's files as they were written: decoded, every value with its place, nothing checked against anything else yet.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/schema.h"
#include "project/project.h"
#include "sources/http/settings.h"

namespace sluice::project {

using config::Placed;
using config::PlacedText;
using Texts = std::vector<PlacedText>;

struct PropertiesSpec {  // what every node may say
  std::string description, owner;
  std::optional<PlacedText> schedule;
  Texts tags;
  std::vector<std::pair<PlacedText, std::string>> meta;
};

struct FreshnessSpec {
  std::optional<int64_t> within, warn;
  std::optional<PlacedText> of;
  bool broken = false;  // something in it was refused
  Location where;
};

struct VacuumSpec {
  int64_t every = 0;  // microseconds
  std::optional<Placed<int64_t>> retention;
};

struct MaintenanceSpec {
  std::optional<int64_t> compact_after;
  std::optional<Placed<int64_t>> target_size;
  Texts z_order_by;
  std::optional<VacuumSpec> vacuum;
  std::optional<int64_t> max_hold;
  bool broken = false;
  Location where;
};

struct LengthSpec {
  std::optional<int64_t> min, max;
  bool broken = false;
  Location where;
};

struct CheckSpec {
  Texts unique, not_null;
  std::optional<PlacedText> column;
  Texts values, in;
  std::optional<PlacedText> min, max, pattern;
  std::optional<LengthSpec> length, row_count;
  std::optional<PlacedText> relationship, to;
  std::optional<PlacedText> freshness;
  std::optional<int64_t> within;
  std::optional<PlacedText> accounts_for;
  Texts key;
  std::optional<PlacedText> sql;
  std::optional<PlacedText> name, rule_where, on_fail, tolerate;
  std::string description;
  config::GivenKeys given;
  bool broken = false;
  Location where;
};

struct ContractColumnSpec {
  PlacedText name;
  std::optional<PlacedText> from;
  std::optional<int64_t> start, width;
  Placed<contract::DataType> type;
  bool not_null = false;
  std::optional<PlacedText> pattern, min, max;
  std::optional<LengthSpec> length;
  Texts values;
  contract::OnFail on_fail = contract::OnFail::kQuarantine;
  std::optional<PlacedText> rule_where;
  Texts formats;
  std::optional<PlacedText> zone, decimal, thousands;
  std::optional<std::vector<std::string>> null_tokens;
  std::optional<bool> trim;
  std::optional<PlacedText> default_value;
  std::string pii, description;
  config::GivenKeys given;
  Location where;
};

struct QuarantineLimitSpec {
  double share = 1;
  int64_t min_rows = 0;
  std::optional<int64_t> rows;
};

struct ContractSpec {
  std::vector<ContractColumnSpec> columns;
  std::vector<CheckSpec> rules;
  contract::OnViolation on_violation = contract::OnViolation::kQuarantine;
  contract::OnNewColumn on_new_column = contract::OnNewColumn::kEvolve;
  contract::OnMissingColumn on_missing_column = contract::OnMissingColumn::kFail;
  contract::OnTypeChange on_type_change = contract::OnTypeChange::kQuarantine;
  QuarantineLimitSpec max_quarantined;
  std::vector<std::string> null_tokens = {""};
  bool trim = false;
  std::optional<PlacedText> zone, decimal, thousands;
  Texts unique;
  config::GivenKeys given;
  Location where;
};

enum class ReadFormat { kCsv, kNdjson, kParquet, kJson, kXlsx, kOrc, kAvro, kFixed, kXml, kDelta };  // as formats::FileFormat, then kDelta

struct PagesSpec {
  sources::http::Pages::By by = sources::http::Pages::By::kNone;
  std::optional<PlacedText> parameter, size_parameter, from, total, more;
  std::optional<int64_t> size, start;
  int64_t most = 0;
  config::GivenKeys given;
  Location where;
};

struct RequestSpec {  // one kind of request to an API
  std::string method = "GET";
  PlacedText path;
  std::optional<PlacedText> body, records, value;
  std::vector<std::pair<PlacedText, PlacedText>> parameters, headers, carry;
  Texts keys;
  bool missing_is_empty = false;
  std::optional<PagesSpec> pages;
  config::GivenKeys given;
  Location where;
};

struct WindowsSpec {
  std::optional<int64_t> every;  // microseconds
  PlacedText start;
  int64_t delay = 0;
  sources::http::Windows::Form form = sources::http::Windows::Form::kTimestamp;
  Location where;
};

struct ReadSpec {
  std::optional<RequestSpec> request, for_each;
  std::optional<WindowsSpec> windows;
  std::optional<PlacedText> start;
  std::optional<PlacedText> files, table, query;
  Texts command;
  int64_t timeout = 0;  // microseconds
  std::optional<Placed<int64_t>> max_output;
  std::optional<Placed<ReadFormat>> format;
  std::string compression = "auto";
  std::optional<PlacedText> encoding, delimiter, quote, escape, comment;
  std::optional<int64_t> header;  // rows of it; 0: none
  std::optional<int64_t> skip, footer;
  std::optional<PlacedText> members, sheet, range, record;
  std::vector<int64_t> widths;
  bool pads_short_lines = false;
  sources::OnChangedFile on_changed_file = sources::OnChangedFile::kFail;
  sources::OnKnownContents on_renamed_file = sources::OnKnownContents::kSkip, on_copied_file = sources::OnKnownContents::kIngest;
  sources::FileOrder order = sources::FileOrder::kName;
  int64_t settle = 0;  // microseconds
  std::optional<PlacedText> done_marker;
  config::GivenKeys given;
  Location where;
};

struct DeduplicateSpec {
  Texts key, order_by;
  Location where;
};

struct SourceSpec {
  PlacedText name;  // from the file's name or the key in `tables:`
  std::optional<PlacedText> connection;
  std::optional<ReadSpec> read;
  Load load = Load::kAppend;
  Keep keep = Keep::kAll;
  std::optional<PlacedText> cursor, lookback, as;
  Texts exclude, hash;
  bool of_many = false;  // one of a file's `tables`
  std::optional<DeduplicateSpec> deduplicate;
  Texts partition_by;
  std::optional<ContractSpec> contract;
  std::vector<CheckSpec> checks;
  std::optional<FreshnessSpec> freshness;
  std::optional<MaintenanceSpec> maintenance;
  PropertiesSpec properties;
  std::optional<config::Node> defaults;  // of a file with many tables
  std::vector<std::pair<PlacedText, config::Node>> tables;
  config::GivenKeys given;
  Location where;
};

struct ColumnSpecSpec {
  PlacedText name;
  std::optional<Placed<contract::DataType>> type;
  std::string description, pii;
  Location where;
};

struct ModelSpec {
  Store store = Store::kTable;
  Texts key, sequence_by;
  std::optional<PlacedText> delete_when;
  Texts update, track;
  OnMissing on_missing = OnMissing::kKeep;
  std::optional<OnDelete> on_delete;
  std::optional<Readers> readers;
  std::optional<bool> change_data_feed;
  std::optional<PlacedText> column;
  Every every = Every::kDay;
  int64_t lookback = 0;
  std::optional<PlacedText> start;
  Texts partition_by;
  std::optional<OnChange> on_change;
  std::optional<PlacedText> publish;
  std::vector<ColumnSpecSpec> columns;
  std::vector<CheckSpec> checks;
  std::optional<MaintenanceSpec> maintenance;
  PropertiesSpec properties;
  config::GivenKeys given;
  Location where;
};

struct AuthSpec {
  Placed<sources::http::AuthKind> kind;
  std::optional<PlacedText> name, user, password, token, value, token_url, client_id, client_secret, refresh_token, scope, audience;
  config::GivenKeys given;
  Location where;
};

struct ConnectionSpec {
  PlacedText type;
  std::optional<PlacedText> url, rate;
  std::optional<AuthSpec> auth;
  std::vector<std::pair<PlacedText, PlacedText>> headers, parameters;
  int64_t timeout = 0, tries = 0;  // microseconds
  std::optional<Placed<int64_t>> max_body;
  std::optional<PlacedText> path;
  std::optional<PlacedText> host, port, database, user, password, tls_ca, tls_certificate, tls_key;
  std::optional<Placed<sources::postgres::Tls>> tls;
  int64_t connect_timeout = 0, statement_timeout = 0, max_snapshot_age = 0;  // microseconds
  int64_t max_connections = 4;
  config::GivenKeys given;
  Location where;
};

struct ProjectSpec {  // sluice.yml, or one environment of it
  PlacedText project;
  std::optional<PlacedText> lake, default_environment, timezone;
  std::vector<std::pair<PlacedText, config::Node>> vars;
  Texts layers;
  std::vector<std::pair<PlacedText, ConnectionSpec>> connections;
  std::vector<std::pair<PlacedText, config::Node>> defaults;
  std::vector<std::pair<PlacedText, PlacedText>> schedules;
  std::vector<std::pair<PlacedText, config::Node>> environments;
  bool is_protected = false;
  Location where;
};

// The definitions: decoder, JSON Schema and reference in one (config/schema.h). Made once per process.
const config::Type<ProjectSpec>& ProjectType();
const config::Type<ProjectSpec>& EnvironmentType();
const config::Type<SourceSpec>& SourceFileType();
const config::Type<SourceSpec>& TableType();  // one of a file's `tables:`
const config::Type<ModelSpec>& ModelType();
const config::Type<CheckSpec>& CheckType();
const config::Type<ContractSpec>& ContractType();

}  // namespace sluice::project
