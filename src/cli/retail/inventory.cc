// Stock: what was counted (a snapshot that each delivery replaces) and how it moved since (a stream).
#include <fmt/core.h>

#include "cli/retail/company.h"
#include "cli/retail/money.h"
#include "cli/retail/record_source.h"

namespace sluice::cli::retail {
namespace {

using Kind = Dirt::Kind;

const SourceSpec kStockSpec = {
    .name = "product_inventory",
    .path = "dumps/product_inventory.csv",
    .per = FilePer::kSnapshot,
    .columns = {"product_id", "warehouse_id", "quantity_on_hand", "reorder_level", "unit_cost", "counted_at"},
    .dirt = {{Kind::kField, 2, "2.5", "type"}, {Kind::kField, 2, "-4", "min"}, {Kind::kRepeat}},
    .every = 70,
};

const SourceSpec kUpdateSpec = {
    .name = "inventory_updates",
    .path = "events/inventory_updates/{}.ndjson",
    .per = FilePer::kDay,
    .dialect = {.format = Dialect::Format::kNdjson},
    .columns = {"update_id", "product_id", "warehouse_id", "change_type", "quantity_change", "timestamp"},
    .dirt = {{Kind::kField, 4, "2.5", "type"},
             {Kind::kRepeat},
             {Kind::kField, 3, "\"teleport\"", "values"},
             {Kind::kField, 5, "\"2026-13-45T00:00:00Z\"", "type"},
             {Kind::kField, 4, "0", "moves_something"}},
    .every = 70,
    .timestamp_as = "occurred_at",
};

constexpr std::array<std::string_view, 3> kWarehouses = {"LEJ1", "ORD2", "SYD1"};
constexpr std::array<std::string_view, 4> kChanges = {"sale", "restock", "adjustment", "return"};

void WriteStock(Company& company) {
  RecordSource source(kStockSpec, company.options.seed, company.landing, company.truth);
  Draw draw(company.options.seed, "stock");
  std::map<std::string, int64_t> on_hand;
  for (int delivery = 1; delivery <= kDeliveries; ++delivery) {
    const int day = company.calendar.DeliveryStart(delivery);
    if (company.calendar.Counts(delivery)) on_hand.clear();
    for (size_t p = 0; p < company.products.size(); ++p) {
      for (const std::string_view warehouse : kWarehouses) {
        const int64_t quantity = draw.Below(500);
        const bool good = source.Write(day, {ProductId(static_cast<int64_t>(p)), std::string(warehouse), std::to_string(quantity), "50",
                                             MoneyText(company.products[p].price_cents / 2), WallClockText(DayMicros(day))});
        if (good) on_hand[std::string(warehouse)] += quantity;
      }
    }
  }
  for (const auto& [warehouse, quantity] : on_hand) company.truth.Fact("inventory.counted_by_warehouse." + warehouse, quantity);
}

}  // namespace

void WriteInventory(Company& company) {
  WriteStock(company);
  RecordSource source(kUpdateSpec, company.options.seed, company.landing, company.truth);
  Draw draw(company.options.seed, "inventory_updates");
  const int64_t count = std::max<int64_t>(company.options.events / 10, 5);
  int64_t rows = 0;
  std::map<std::string, int64_t> net;
  for (int64_t i = 0; i < count; ++i) {
    const int day = static_cast<int>(i * company.calendar.days / count);
    const std::string_view warehouse = draw.Pick(kWarehouses), change = draw.Pick(kChanges);
    const int64_t quantity = change == "sale" ? -draw.Between(1, 9) : draw.Between(1, 60);
    const int64_t at = DayMicros(day) + draw.Below(86'400) * kSecond;
    const bool good = source.Write(
        day, {Quoted(fmt::format("inv-{:08}", i + 1)), Quoted(ProductId(draw.Below(static_cast<int64_t>(company.products.size())))),
              Quoted(warehouse), Quoted(change), std::to_string(quantity), Quoted(InstantText(at))});
    if (good) ++rows, net[std::string(warehouse)] += quantity;
  }
  source.Finish();
  company.truth.Fact("inventory.movements", rows);
  for (const auto& [warehouse, quantity] : net) company.truth.Fact("inventory.net_change_by_warehouse." + warehouse, quantity);
}

}  // namespace sluice::cli::retail
