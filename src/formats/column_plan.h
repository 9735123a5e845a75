#pragma once
// How a file's columns meet the contract: made once per file, before reading. Pure.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "contract/contract.h"
#include "contract/text_decoder.h"
#include "core/result.h"

namespace sluice::formats {

struct ReadRequest;

struct ColumnPlan {
  struct Column {
    contract::Field field;     // of the rows, nullable
    int contract_column = -1;  // index in contract.columns; -1: one of ReadRequest::extra
    int file_column = -1;      // position in the file; -1: the file lacks it (default value or NULL)
  };
  std::vector<Column> columns;  // one per column of ReadRequest::schema(), in its order
  std::vector<int> refused;     // file positions under on_new_column: quarantine, or without a name: a row with a value there is refused
  std::vector<int> ignored;     // file positions under on_new_column: freeze
  std::vector<std::string> file_names;
};

// Names compare case-insensitively, after a trim; a column's `from` is looked for instead of its name where it is given (its
// name is then accepted too). Without a header the file's columns are the schema's, by position.
// Errors (kData): "missing-column" (on_missing_column: fail, naming all), "duplicate-header" (two fields of one column).
Result<ColumnPlan> PlanColumns(const ReadRequest& request, const std::vector<std::string>& file_names, bool header = true);

// What reads the column's texts, of a format whose fields are texts. Error kUser "nested-in-text"; those of TextDecoder.
Result<contract::TextDecoder> DecoderOf(const ReadRequest& request, const ColumnPlan::Column& column);

// The file's columns that request.schema() lacks, in file order.
std::vector<std::string> NewColumnNames(const ReadRequest& request, const std::vector<std::string>& file_names);

}  // namespace sluice::formats
