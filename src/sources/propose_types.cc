#include "sources/propose.h"

namespace sluice::sources {

using contract::TypeKind;

contract::Contract TypesOf(const TableProfile& profile, bool accept_guesses) {
  contract::Contract contract;
  for (const ColumnProfile& column : profile.columns) {
    contract::ColumnContract made;
    made.name = column.field;
    made.type = contract::DataType::Of(TypeKind::kString);
    if (accept_guesses || !column.inferred.unsure) {
      made.type = column.inferred.type;
      made.formats = column.inferred.formats;
      made.numbers = column.inferred.numbers;
    }
    const bool clock = made.type.kind == TypeKind::kTimestamp && column.inferred.without_zone && profile.format != FileFormat::kParquet;
    if (clock) made.type = contract::DataType::Of(TypeKind::kTimestampNtz);
    if (!column.null_words.empty()) {
      made.null_tokens = {""};
      made.null_tokens->insert(made.null_tokens->end(), column.null_words.begin(), column.null_words.end());
    }
    contract.columns.push_back(std::move(made));
  }
  return contract;
}

}  // namespace sluice::sources
