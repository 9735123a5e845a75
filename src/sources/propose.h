#pragma once
// What was seen in files, written as the files of a project. Pure.
#include <string>
#include <string_view>
#include <vector>

#include "contract/contract.h"
#include "sources/profile.h"

namespace sluice::sources {

// One source to be.
struct SourceProposal {
  std::string name;        // of the table: bronze.NAME
  std::string connection;  // "" = left out
  std::string files;       // glob under the connection's path
  formats::CsvDialect csv;
  std::string encoding;             // to be pinned; "" = none
  std::vector<std::string> doubts;  // guesses that were accepted
  Read pinned;                      // what whoever asked said of the files …
  std::vector<std::string> given;   // … by these keys, which the proposal keeps
  formats::FormatOptions options;
  TableProfile profile;
};

// The column of the contract for a field of the file: its name where a table can have it, else one made of it ("Unit Price" →
// "unit_price").
std::string ColumnName(std::string_view field);
// A name for a table or project: lower-case letters, digits and _, a letter first.
std::string TableName(std::string_view text);

// Columns that look like the rows' identity: unique, or nearly so and named like a key; at most three.
std::vector<std::string> ProposeKey(const TableProfile& profile);
// The column that tells which of two rows of a key is newer ("updated_at"); "" = none.
std::string ProposeSequence(const TableProfile& profile);

// sources/NAME.yml, with comments that say what was seen and what to look at.
std::string SourceYaml(const SourceProposal& source);
// Only its `read:`, in one line; only its `contract:`. For `inspect`.
std::string ReadYaml(const SourceProposal& source);
std::string ContractYaml(const TableProfile& profile);
// The same contract as a value: only what decodes fields, no rules. Timestamps without a zone are wall clocks. A column whose values may be
// read in two ways stays a text, unless guesses are accepted.
contract::Contract TypesOf(const TableProfile& profile, bool accept_guesses);
// models/silver/NAME.sql and .yml.
std::string SilverSql(const SourceProposal& source);
std::string SilverYaml(const SourceProposal& source);

// A scalar of YAML that reads back as this text, in a flow or a block.
std::string YamlText(std::string_view text);

}  // namespace sluice::sources
