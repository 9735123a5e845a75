// The event streams: what users click, what becomes of orders, how the systems feel. Delivered at least once, some of it late.
#include <fmt/core.h>

#include "cli/retail/company.h"
#include "cli/retail/money.h"
#include "cli/retail/record_source.h"

namespace sluice::cli::retail {
namespace {

using Kind = Dirt::Kind;
constexpr Dialect kNdjson = {.format = Dialect::Format::kNdjson};

const SourceSpec kUserEventSpec = {
    .name = "user_events",
    .path = "events/user_events/{}.ndjson",
    .per = FilePer::kDay,
    .dialect = kNdjson,
    .columns = {"event_id", "user_id", "event_type", "page_url", "product_id", "timestamp", "device", "campaign"},
    .dirt = {{Kind::kCutOff, -1, "", "json"},
             {Kind::kRepeat},
             {Kind::kField, 1, "\"guest\"", "type"},
             {Kind::kResend},
             {Kind::kField, 5, "\"2026-02-30T10:00:00Z\"", "type"},
             {Kind::kField, 2, "\"teleport\"", "values"},
             {Kind::kField, 0, "null", "not_null"}},
    .every = 75,
    .timestamp_as = "occurred_at",
};

const SourceSpec kOrderEventSpec = {
    .name = "order_events",
    .path = "events/order_events/{}.ndjson.gz",
    .per = FilePer::kWeek,
    .dialect = kNdjson,
    .columns = {"event_id", "order_id", "event_type", "timestamp", "items"},
    .dirt = {{Kind::kField, 3, "\"soon\"", "type"},
             {Kind::kRepeat},
             {Kind::kField, 2, "\"lost\"", "values"},
             {Kind::kField, 1, "", "not_null"},
             {Kind::kResend}},
    .every = 90,
    .timestamp_as = "occurred_at",
};

const SourceSpec kMetricSpec = {
    .name = "system_metrics",
    .path = "events/system_metrics/{}.ndjson",
    .per = FilePer::kDay,
    .dialect = kNdjson,
    .columns = {"timestamp", "host", "service", "metric", "value", "labels"},
    .dirt = {{Kind::kField, 4, "\"high\"", "type"},
             {Kind::kField, 1, "", "not_null"},
             {Kind::kField, 4, "-1.5", "min"},
             {Kind::kCutOff, -1, "", "json"}},
    .every = 80,
    .timestamp_as = "occurred_at",
};

constexpr std::array<std::string_view, 5> kEventTypes = {"page_view", "search", "product_view", "add_to_cart", "purchase"};
constexpr std::array<std::string_view, 4> kPages = {"/", "/sale", "/account", "/search?q=kettle"};
constexpr std::array<std::string_view, 3> kSystems = {"ios", "android", "windows"};
constexpr std::array<std::string_view, 3> kServices = {"checkout", "search", "catalog"};

void WriteUserEvents(Company& company) {
  RecordSource source(kUserEventSpec, company.options.seed, company.landing, company.truth);
  Draw draw(company.options.seed, "user_events");
  const int64_t count = std::max<int64_t>(company.options.events * 6 / 10, 5);
  std::map<std::string, int64_t> by_type, by_month;
  for (int64_t i = 0; i < count; ++i) {
    const int day = static_cast<int>(i * company.calendar.days / count);
    const int own_delivery = company.calendar.DeliveryOf(day);
    const bool late = draw.Below(150) == 0 && own_delivery < kDeliveries;  // a phone that was off-line
    const int delivery = late ? own_delivery + 1 : own_delivery;
    const size_t type = static_cast<size_t>(draw.Below(kEventTypes.size()));
    const std::string page = type < 2 ? Quoted(draw.Pick(kPages)) : "";
    const std::string product = type < 2 ? "" : Quoted(ProductId(draw.Below(static_cast<int64_t>(company.products.size()))));
    const std::string campaign =
        delivery > 1 && draw.Chance(30) ? Quoted("spring") : "";  // a field the app sends from its second release on
    const std::string_view os = draw.Pick(kSystems);
    const int64_t major = draw.Between(1, 3), minor = draw.Below(10);
    const bool good =
        source.Write(day,
                     {Quoted(fmt::format("evt-{:09}", i + 1)), std::to_string(draw.Below(static_cast<int64_t>(company.users.size())) + 1),
                      Quoted(kEventTypes[type]), page, product, Quoted(InstantText(DayMicros(day) + draw.Below(86'400) * kSecond)),
                      fmt::format(R"({{"os":"{}","app_version":"{}.{}"}})", os, major, minor), campaign},
                     delivery);
    if (good) ++by_type[std::string(kEventTypes[type])], ++by_month[MonthText(day)];
  }
  source.Finish();
  for (const auto& [type, n] : by_type) company.truth.Fact("user_events.by_type." + type, n);
  for (const auto& [month, n] : by_month) company.truth.Fact("user_events.by_month." + month, n);
}

struct OrderStream {
  Company& company;
  RecordSource source{kOrderEventSpec, company.options.seed, company.landing, company.truth};
  Draw draw{company.options.seed, "order_events"};
  int64_t next = 0, lines = 0, quantity = 0, revenue_cents = 0;
  std::map<std::string, int64_t> by_type;

  bool Emit(int64_t order, std::string_view type, int64_t at, const std::string& items) {
    const int day = static_cast<int>((at - DayMicros(0)) / kDay);
    if (day >= company.calendar.days) return false;
    const bool good =
        source.Write(day, {Quoted(fmt::format("oev-{:08}", ++next)), Quoted(OrderId(order)), Quoted(type), Quoted(InstantText(at)), items});
    if (good) ++by_type[std::string(type)];
    return good;
  }

  void Follow(int64_t index) {
    const OrderVersion& order = company.orders[static_cast<size_t>(index)].real;
    const int64_t placed = DayMicros(order.day) + draw.Below(80'000) * kSecond;
    std::string items = "[";
    int64_t own_quantity = 0, own_cents = 0;
    const int64_t count = draw.Between(1, 3);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t product = draw.Below(static_cast<int64_t>(company.products.size())), pieces = draw.Between(1, 4);
      const int64_t cents = company.products[static_cast<size_t>(product)].price_cents;
      items += fmt::format(R"({}{{"product_id":"{}","quantity":{},"unit_price":{}}})", i == 0 ? "" : ",", ProductId(product), pieces,
                           MoneyText(cents));
      own_quantity += pieces, own_cents += pieces * cents;
    }
    if (Emit(index, "placed", placed, items + "]")) lines += count, quantity += own_quantity, revenue_cents += own_cents;
    if (IsSale(order.status)) Emit(index, "shipped", placed + draw.Between(3'600, 86'400) * kSecond, "");
    if (order.status == 2) Emit(index, "delivered", placed + draw.Between(90'000, 300'000) * kSecond, "");
    if (order.status == 3) Emit(index, "cancelled", placed + draw.Between(3'600, 86'400) * kSecond, "");
  }
};

void WriteOrderEvents(Company& company) {
  OrderStream stream{company};
  const int64_t wanted = std::max<int64_t>(company.options.events * 2 / 10, 5);
  const auto orders = static_cast<int64_t>(company.orders.size());
  const int64_t step = std::max<int64_t>(1, orders * 5 / 2 / wanted);  // about 2.5 events for each order followed
  for (int64_t i = 0; i < orders; i += step) stream.Follow(i);
  stream.source.Finish();
  for (const auto& [type, n] : stream.by_type) company.truth.Fact("order_events.by_type." + type, n);
  company.truth.Fact("order_events.items", stream.lines);
  company.truth.Fact("order_events.items_quantity", stream.quantity);
  company.truth.Fact("order_events.items_revenue", MoneyText(stream.revenue_cents));
}

void WriteMetrics(Company& company) {
  RecordSource source(kMetricSpec, company.options.seed, company.landing, company.truth);
  Draw draw(company.options.seed, "metrics");
  const int64_t count = std::max<int64_t>(company.options.events / 10, 5);
  std::map<std::string, int64_t> slowest, samples;
  for (int64_t i = 0; i < count; ++i) {
    const int day = static_cast<int>(i * company.calendar.days / count);
    const std::string_view service = draw.Pick(kServices);
    const int64_t quarters = draw.Between(20, 4'000);  // of a millisecond: exact in binary
    const bool good = source.Write(
        day, {Quoted(InstantText(DayMicros(day) + draw.Below(86'400) * kSecond)), Quoted(fmt::format("{}-{}", service, draw.Between(1, 3))),
              Quoted(service), Quoted("latency_ms"), fmt::format("{}", static_cast<double>(quarters) / 4),
              fmt::format(R"({{"region":"{}"}})", draw.Chance(50) ? "eu" : "us")});
    if (!good) continue;
    ++samples[std::string(service)];
    int64_t& worst = slowest[std::string(service)];
    worst = std::max(worst, quarters);
  }
  source.Finish();
  for (const auto& [service, n] : samples) company.truth.Fact("system_metrics.samples." + service, n);
  for (const auto& [service, quarters] : slowest) company.truth.Fact("system_metrics.slowest_ms." + service, DecimalText(quarters * 25, 2));
}

}  // namespace

void WriteEvents(Company& company) {
  WriteUserEvents(company);
  WriteOrderEvents(company);
  WriteMetrics(company);
}

}  // namespace sluice::cli::retail
