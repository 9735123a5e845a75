#include "cli/retail/record_source.h"

#include <fmt/core.h>

namespace sluice::cli::retail {

RecordSource::RecordSource(const SourceSpec& spec, uint64_t seed, Landing& landing, Truth& truth)
    : spec_(spec), landing_(landing), truth_(truth.Source(spec.name)), draw_(seed, spec.name + ".dirt") {
  until_dirt_ = draw_.Between(1, spec.every);
}

bool RecordSource::Write(int day, std::vector<std::string> fields, int delivery) {
  if (delivery == 0) delivery = landing_.calendar().DeliveryOf(day);
  RecordFile& file = FileOf(day, delivery);
  const Dirt* dirt = NextDirt();
  if (dirt != nullptr) return Plant(*dirt, file, std::move(fields));
  file.Add(fields);
  CountGood(delivery);
  return landing_.calendar().Counts(delivery);
}

bool RecordSource::WriteClean(int day, const std::vector<std::string>& fields) {
  const int delivery = landing_.calendar().DeliveryOf(day);
  FileOf(day, delivery).Add(fields);
  CountGood(delivery);
  return landing_.calendar().Counts(delivery);
}

const Dirt* RecordSource::NextDirt() {
  if (spec_.dirt.empty() || --until_dirt_ > 0) return nullptr;
  until_dirt_ = draw_.Between(spec_.every / 2 + 1, spec_.every * 3 / 2);
  return &spec_.dirt[next_kind_++ % spec_.dirt.size()];
}

RecordFile& RecordSource::FileOf(int day, int delivery) {
  const Calendar& calendar = landing_.calendar();
  const bool late = calendar.DeliveryOf(day) != delivery;  // goes into the delivery's first file
  const int start = late ? calendar.DeliveryStart(delivery) : std::max(day, 0);
  int first = calendar.DeliveryStart(delivery);
  if (spec_.per == FilePer::kDay) first = start;
  if (spec_.per == FilePer::kWeek) first = calendar.WeekOf(start);
  RecordFile*& file = files_[{delivery, first}];
  if (file != nullptr) return *file;
  const Dialect dialect = spec_.dialect_of ? spec_.dialect_of(static_cast<int>(files_.size()) - 1) : spec_.dialect;
  file = &landing_.Open(fmt::format(fmt::runtime(spec_.path), DateText(first)), delivery, dialect, spec_.columns);
  return *file;
}

void RecordSource::Finish() {
  for (const Resent& resent : resent_) {
    FileOf(landing_.calendar().DeliveryStart(resent.delivery), resent.delivery).Add(resent.fields);
    // Within one batch the second copy is a duplicate; in a batch of its own nothing at ingest can know it.
    if (landing_.calendar().part == 0) {
      ++truth_.records, ++truth_.deduplicated;
    } else {
      CountGood(resent.delivery);
    }
  }
  resent_.clear();
}

void RecordSource::CountGood(int delivery) {
  const Calendar& calendar = landing_.calendar();
  if (!calendar.Counts(delivery)) return;
  // Of a snapshot that is replaced before anyone reads it, nobody knows.
  const bool snapshot = spec_.per == FilePer::kSnapshot;
  if (snapshot && calendar.part == 0 && delivery != kDeliveries) return;
  ++truth_.records, ++truth_.bronze;
  if (snapshot && delivery == calendar.LastDelivery()) truth_.bronze_in_table = std::max<int64_t>(truth_.bronze_in_table, 0) + 1;
}

Planted RecordSource::Name(const Dirt& dirt, const RecordFile& file, Place place) const {
  const std::string column = dirt.column < 0 ? "" : spec_.columns[static_cast<size_t>(dirt.column)];
  static constexpr std::string_view kOfColumns[] = {"type", "not_null", "pattern", "min", "max", "values", "unique"};
  const bool whole_record = std::find(std::begin(kOfColumns), std::end(kOfColumns), dirt.rule) == std::end(kOfColumns);
  const std::string named = dirt.rule == "unique" ? spec_.unique : whole_record ? "" : column == "timestamp" ? spec_.timestamp_as : column;
  return {file.path(), place.row, place.line, named, std::string(dirt.rule)};
}

bool RecordSource::Plant(const Dirt& dirt, RecordFile& file, std::vector<std::string> fields) {
  using Kind = Dirt::Kind;
  const Calendar& calendar = landing_.calendar();
  const bool unread = spec_.per == FilePer::kSnapshot && calendar.part == 0 && file.delivery() != kDeliveries;
  const bool counts = calendar.Counts(file.delivery()) && !unread;
  const bool spoils =
      dirt.kind != Kind::kWarn && dirt.kind != Kind::kRepeat && dirt.kind != Kind::kContradict && dirt.kind != Kind::kResend;
  if (spoils) {
    const Place place = AddSpoilt(dirt, file, std::move(fields));
    if (counts) ++truth_.records, truth_.quarantined.push_back(Name(dirt, file, place));
    return false;
  }
  if (dirt.kind == Kind::kWarn) fields[static_cast<size_t>(dirt.column)] = dirt.value;
  const Place place = file.Add(fields);
  CountGood(file.delivery());
  if (dirt.kind == Kind::kWarn && counts) truth_.warned.push_back(Name(dirt, file, place));
  if (dirt.kind == Kind::kRepeat) {
    file.Add(fields);
    if (counts) ++truth_.records, ++truth_.deduplicated;
  } else if (dirt.kind == Kind::kContradict) {
    fields[static_cast<size_t>(dirt.column)] = dirt.value;
    const Place second = file.Add(fields);
    if (counts) ++truth_.records, truth_.quarantined.push_back(Name(dirt, file, second));
  } else if (dirt.kind == Kind::kResend && file.delivery() < kDeliveries) {
    resent_.push_back({file.delivery() + 1, fields});
  }
  return counts;
}

Place RecordSource::AddSpoilt(const Dirt& dirt, RecordFile& file, std::vector<std::string> fields) {
  using Kind = Dirt::Kind;
  const auto column = static_cast<size_t>(std::max(dirt.column, 0));
  switch (dirt.kind) {
    case Kind::kShort:
      fields.pop_back();
      return file.Add(fields);
    case Kind::kLong:
      fields.emplace_back("x");
      return file.Add(fields);
    case Kind::kBadBytes:
      fields[column].insert(fields[column].size() / 2, "\xFF");
      return file.Add(fields);
    case Kind::kCutOff: {
      const std::string text = file.Render(fields);
      return file.AddRaw(std::string_view(text).substr(0, text.size() * 2 / 3));
    }
    case Kind::kBrokenQuote: {
      fields[column] = "\x01";  // a mark, replaced by the broken text below
      std::string text = file.Render(fields);
      text.replace(text.find('\x01'), 1, dirt.value);
      return file.AddRaw(text);
    }
    default:
      fields[column] = dirt.value;
      return file.Add(fields);
  }
}

}  // namespace sluice::cli::retail
