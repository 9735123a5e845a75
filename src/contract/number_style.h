#pragma once
// Numbers as people write them: 1.234,56 or 1'234.56. Strict: what is not exactly of the style is no number.
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "contract/contract.h"
#include "contract/decode.h"
#include "contract/text_decoder.h"
#include "core/result.h"

namespace arrow {
class Array;
}

namespace sluice::contract {

// The number in its plain form (1234.56), for the decoders of decode.h. kSyntax: a separator stands where none may be: groups have three
// digits, the first one to three and no leading zero; a number without any is one, too. A blank as separator is also U+00A0 and U+202F, an
// apostrophe also U+2019. Texts without digits (NaN) stay as they are.
Decoded PlainNumber(const NumberStyle& style, std::string_view text, std::string* plain);

// "1.234,56"
std::string ExampleOf(const NumberStyle& style);

// The style of a column's numbers: its own, else the contract's.
NumberStyle StyleOf(const ColumnContract& column, const Contract& contract);

// DecodeColumn of a decoder that has a style.
Result<std::shared_ptr<arrow::Array>> DecodeStyledNumbers(const TextDecoder& decoder, const std::string& column,
                                                          std::span<const std::string_view> fields, std::vector<Violation>* violations);

}  // namespace sluice::contract
