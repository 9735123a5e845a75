// Does every value of one type fit another?
#include "contract/type.h"

namespace sluice::contract {
namespace {

int IntegerDigits(TypeKind kind) {
  switch (kind) {
    case TypeKind::kTinyint:
      return 3;
    case TypeKind::kSmallint:
      return 5;
    case TypeKind::kInteger:
      return 10;
    default:
      return 19;
  }
}

bool FieldWidens(const Field& from, const Field& to) { return (to.nullable || !from.nullable) && IsWidening(from.type, to.type); }

// Every old field is still there, in the same order of appearance; new ones are nullable.
bool StructWidens(const DataType& from, const DataType& to) {
  const Schema before{from.children}, after{to.children};
  int last = -1;
  for (const Field& field : before.fields) {
    const int at = after.IndexOf(field.name);
    if (at <= last || !FieldWidens(field, after.fields[at])) return false;
    last = at;
  }
  for (const Field& field : after.fields)
    if (!field.nullable && before.IndexOf(field.name) < 0) return false;
  return true;
}

bool ScalarWidens(const DataType& from, const DataType& to) {
  if (from.is_integer()) {
    if (to.is_integer()) return from.kind <= to.kind;
    if (to.kind == TypeKind::kDouble) return from.kind <= TypeKind::kInteger;  // 53 bits hold every 32-bit value, not every 64-bit one
    if (to.kind == TypeKind::kDecimal) return to.precision - to.scale >= IntegerDigits(from.kind);
    return false;
  }
  switch (from.kind) {
    case TypeKind::kFloat:
      return to.kind == TypeKind::kDouble;
    case TypeKind::kDecimal:
      return to.kind == TypeKind::kDecimal && to.scale >= from.scale && to.precision - to.scale >= from.precision - from.scale;
    case TypeKind::kDate:
      return to.kind == TypeKind::kTimestampNtz;
    default:
      return false;
  }
}

}  // namespace

bool IsWidening(const DataType& from, const DataType& to) {
  if (from == to) return true;
  if (!from.is_nested() || !to.is_nested()) return !from.is_nested() && !to.is_nested() && ScalarWidens(from, to);
  if (from.kind != to.kind) return false;
  switch (from.kind) {
    case TypeKind::kList:
      return FieldWidens(from.children[0], to.children[0]);
    case TypeKind::kMap:
      return FieldWidens(from.children[0], to.children[0]) && FieldWidens(from.children[1], to.children[1]);
    default:
      return StructWidens(from, to);
  }
}

}  // namespace sluice::contract
