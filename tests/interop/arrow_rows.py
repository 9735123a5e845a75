"""Tables of Arrow held against each other: the same rows in any order, the same types."""

import collections
import datetime
import decimal
import math

import pyarrow as pa


def plain(value, kind):
    """A value of Arrow in a form that compares: instants in UTC, maps without order, NaN equal to itself."""
    if value is None:
        return None
    if pa.types.is_timestamp(kind):
        return value if value.tzinfo is None else value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    if pa.types.is_floating(kind):
        return "nan" if math.isnan(value) else value
    if pa.types.is_struct(kind):
        return tuple((field.name, plain(value[field.name], field.type)) for field in kind)
    if pa.types.is_map(kind):
        return tuple(sorted(((plain(k, kind.key_type), plain(v, kind.item_type)) for k, v in value), key=repr))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return tuple(plain(item, kind.value_type) for item in value)
    if isinstance(value, decimal.Decimal):
        return value.normalize()
    return value


def micros(kind):
    """The type with every timestamp in microseconds, so that Python can hold it."""
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(f.name, micros(f.type)) for f in kind])
    if pa.types.is_map(kind):
        return pa.map_(micros(kind.key_type), micros(kind.item_type))
    if pa.types.is_list(kind):
        return pa.list_(micros(kind.value_type))
    return kind


def rows(table):
    """The table as a multiset of rows, its columns in the order of their names."""
    table = table.select(sorted(table.column_names)).cast(pa.schema([pa.field(n, micros(table.schema.field(n).type)) for n in sorted(table.column_names)]))
    columns = [[plain(value, column.type) for value in column.to_pylist()] for column in table.columns]
    return collections.Counter(zip(*columns)) if columns else collections.Counter({(): table.num_rows} if table.num_rows else {})


def same_in_order(ours, expected):
    """Quick, for large flat tables: equal once both are sorted. False says nothing."""
    if any(pa.types.is_nested(field.type) for field in expected.schema) or sorted(ours.column_names) != sorted(expected.column_names):
        return False
    names = sorted(expected.column_names)
    schema = pa.schema([pa.field(name, micros(ours.schema.field(name).type)) for name in names])
    keys = [(name, "ascending") for name in names]
    return ours.select(names).cast(schema).sort_by(keys).equals(expected.select(names).cast(schema).sort_by(keys))


def difference(ours, expected):
    """None where the rows are equal, else what differs."""
    if expected.num_rows > 1000 and same_in_order(ours, expected):
        return None
    mine, theirs = rows(ours), rows(expected)
    if mine == theirs:
        return None
    return f"{sum((mine - theirs).values())} rows too many, {sum((theirs - mine).values())} missing; for instance {next(iter((mine - theirs) or (theirs - mine)))}"


def shape(kind):
    """The type without what readers name as they like: the fields inside lists and maps, and what is nullable."""
    if pa.types.is_struct(kind):
        return ("struct", *((field.name, shape(field.type)) for field in kind))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return ("list", shape(kind.value_type))
    if pa.types.is_map(kind):
        return ("map", shape(kind.key_type), shape(kind.item_type))
    return str(kind)
