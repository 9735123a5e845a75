#include "tables/levels.h"

#include <arrow/array/data.h>
#include <arrow/util/bit_util.h>

#include <algorithm>
#include <utility>

namespace sluice::tables {
namespace {

constexpr uint32_t kNothing = UINT32_MAX;  // nothing below: a NULL or an empty list

// Past one node of the way, of which every place may be NULL.
Status PassNulls(const arrow::ArrayData& values, bool optional, Levels* levels) {
  const bool has_nulls = values.GetNullCount() > 0;
  if (!has_nulls && !optional) return Ok();
  const uint8_t* bits = has_nulls && values.buffers[0] ? values.buffers[0]->data() : nullptr;
  for (size_t i = 0; i < levels->at.size(); ++i) {
    uint32_t& at = levels->at[i];
    if (at == kNothing) continue;
    if (has_nulls && (bits == nullptr || !arrow::bit_util::GetBit(bits, values.offset + static_cast<int64_t>(at)))) {
      if (!optional) return Fail(BugError("a NULL in a column that has none"));
      at = kNothing;
    } else {
      levels->definition[i] += optional;
    }
  }
  return Ok();
}

// From lists to their elements.
void Expand(const arrow::ArrayData& lists, uint8_t repetition, Levels* levels) {
  const auto* offsets = lists.GetValues<int32_t>(1);
  size_t elements = 0;
  for (const uint32_t at : levels->at) elements += at == kNothing ? 1 : std::max(1, offsets[at + 1] - offsets[at]);
  Levels out;
  out.definition.reserve(elements);
  out.repetition.reserve(elements);
  out.at.reserve(elements);
  const auto add = [&](uint32_t at, uint8_t definition, uint8_t repeated) {
    out.at.push_back(at);
    out.definition.push_back(definition);
    out.repetition.push_back(repeated);
  };
  for (size_t i = 0; i < levels->at.size(); ++i) {
    const uint32_t at = levels->at[i];
    const int32_t begin = at == kNothing ? 0 : offsets[at], end = at == kNothing ? 0 : offsets[at + 1];
    if (begin == end) add(kNothing, levels->definition[i], levels->repetition[i]);
    for (int32_t element = begin; element < end; ++element)
      add(static_cast<uint32_t>(element), levels->definition[i] + 1, element == begin ? levels->repetition[i] : repetition);
  }
  *levels = std::move(out);
}

}  // namespace

Status FindLevels(const Leaf& leaf, const arrow::ArrayData& column, const ChosenRows& chosen, Levels* out) {
  out->at.clear();
  chosen.ForEach([&](size_t row) { out->at.push_back(static_cast<uint32_t>(row)); });
  out->definition.assign(chosen.count, 0);
  out->repetition.assign(chosen.count, 0);
  const arrow::ArrayData* values = &column;
  uint8_t repetition = 0;
  for (const Leaf::Node& node : leaf.above) {
    SLUICE_CHECK(PassNulls(*values, node.optional, out));
    if (node.kind == Leaf::Kind::kList)
      Expand(*values, ++repetition, out);
    else if (values->offset > 0)
      for (uint32_t& at : out->at)
        if (at != kNothing) at += static_cast<uint32_t>(values->offset);
    values = values->child_data[static_cast<size_t>(node.kind == Leaf::Kind::kList ? 0 : node.child)].get();
  }
  SLUICE_CHECK(PassNulls(*values, leaf.optional, out));
  out->values = values;
  out->rows.clear();
  for (const uint32_t at : out->at)
    if (at != kNothing) out->rows.push_back(at);
  return Ok();
}

}  // namespace sluice::tables
