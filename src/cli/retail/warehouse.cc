// What the data warehouse exports: orders as they change, and the catalogue as it stands.
#include <fmt/core.h>

#include "cli/retail/company.h"
#include "cli/retail/money.h"
#include "cli/retail/record_source.h"

namespace sluice::cli::retail {
namespace {

using Kind = Dirt::Kind;

// Every other file of the warehouse's Windows job has a byte order mark and CRLF.
Dialect OrdersDialect(int file_index) { return {.crlf = file_index % 2 == 1, .bom = file_index % 2 == 1}; }

const SourceSpec kOrderSpec = {
    .name = "customer_orders",
    .path = "warehouse/customer_orders/orders_{}.csv",
    .per = FilePer::kWeek,
    .columns = {"order_id", "customer_id", "customer_name", "email", "order_date", "total_amount", "currency", "status", "payment_method",
                "channel", "updated_at"},
    .dirt = {{Kind::kField, 4, "2026-02-30", "type"},
             {Kind::kRepeat},
             {Kind::kBrokenQuote, 2, "\"Ann\" Lee", "quote"},
             {Kind::kField, 5, "twelve", "type"},
             {Kind::kContradict, 5, "0.01", "unique"},
             {Kind::kShort, -1, "", "fields"},
             {Kind::kField, 5, "-19.99", "min"},
             {Kind::kResend},
             {Kind::kBadBytes, 2, "", "encoding"},
             {Kind::kField, 7, "teleported", "values"},
             {Kind::kWarn, 8, "cheque", "values"},
             {Kind::kField, 0, "", "not_null"},
             {Kind::kLong, -1, "", "fields"},
             {Kind::kField, 0, "ORDER-77", "pattern"},
             {Kind::kField, 5, "123456789012.00", "type"},
             {Kind::kField, 10, "31/12/2026 10:00", "type"},
             {Kind::kField, 6, "DOGE", "values"}},
    .every = 85,
    .unique = "order_id, updated_at",
    .dialect_of = OrdersDialect,
};

const SourceSpec kCatalogSpec = {
    .name = "product_catalog",
    .path = "warehouse/product_catalog.csv",
    .per = FilePer::kSnapshot,
    .columns = {"product_id", "product_name", "category", "brand", "vendor_id", "unit_price", "currency", "is_active", "updated_at"},
    .dirt = {{Kind::kField, 5, "-5.00", "min"}, {Kind::kRepeat}, {Kind::kField, 7, "maybe", "type"}, {Kind::kField, 2, "Misc", "values"}},
    .every = 60,
};

constexpr std::array<std::string_view, 3> kChannels = {"web", "store", "mobile"};
constexpr std::array<std::string_view, 4> kPaymentMethods = {"card", "paypal", "bank_transfer", "gift_card"};
constexpr std::array<std::string_view, 6> kCategories = {"Kitchen", "Garden", "Toys", "Books", "Sports", "Office"};
constexpr std::array<std::string_view, 6> kThings = {"Kettle", "Trowel", "Puzzle", "Atlas", "Racket", "Stapler"};

struct OrderExport {
  Company& company;
  RecordSource source{kOrderSpec, company.options.seed, company.landing, company.truth};
  Draw draw{company.options.seed, "orders"};

  // `delivery` 0: with the files of the day it was updated.
  void WriteVersion(int64_t index, const OrderVersion& version, bool known_customer, int delivery = 0) {
    const User& user = company.users[static_cast<size_t>(version.user)];
    const std::string customer = known_customer ? CustomerId(version.user) : fmt::format("CUST9{:05}", version.user);
    // Stores in Germany write their own kind of date; some tills write NULL where they know no e-mail, some shout.
    const bool dotted = user.country == 4 && version.channel == 1;
    std::string email = draw.Chance(3) ? "NULL" : user.email;
    if (draw.Chance(5)) email = fmt::format("USER{}@EXAMPLE.COM", version.user + 1);
    const int day = static_cast<int>((version.updated - DayMicros(0)) / kDay);
    const bool good =
        source.Write(day,
                     {OrderId(index), customer, user.first_name + " " + user.last_name, email,
                      dotted ? DottedDateText(version.day) : DateText(version.day), MoneyText(version.cents),
                      std::string(kCurrencies[version.currency].code), std::string(kStatuses[version.status]),
                      std::string(draw.Pick(kPaymentMethods)), std::string(kChannels[version.channel]), InstantText(version.updated)},
                     delivery);
    OrderVersion& arrived = company.orders[static_cast<size_t>(index)].arrived;
    if (!good || version.updated < arrived.updated) return;
    arrived = version;
    if (!known_customer) arrived.user = -1;
  }

  // Someone who has registered by then, nearly always: the odd guest registers later.
  int64_t DrawCustomer(int day) {
    int64_t user = 0;
    for (int tries = 0; tries < 6; ++tries) {
      user = draw.Below(static_cast<int64_t>(company.users.size()));
      if (company.users[static_cast<size_t>(user)].registered <= day) break;
    }
    return user;
  }

  OrderVersion Place(int64_t index) {
    OrderVersion order;
    order.day = static_cast<int>(index * company.calendar.days / company.options.orders);
    order.updated = DayMicros(order.day) + draw.Below(86'400) * kSecond;
    order.user = DrawCustomer(order.day);
    order.currency = kCountries[company.users[static_cast<size_t>(order.user)].country].currency;
    const int64_t usd = draw.Between(500, 40'000);
    order.cents = usd * 1'000'000 / kCurrencies[order.currency].usd_millionths;
    order.channel = static_cast<size_t>(draw.Below(kChannels.size()));
    const int64_t luck = draw.Below(100);
    order.status = luck < 45 ? 2 : luck < 70 ? 1 : luck < 75 ? 3 : 0;
    return order;
  }

  void WriteOrder(int64_t index) {
    OrderVersion order = Place(index);
    const bool known = !draw.Chance(1);  // else an orphan: a customer that no dump has
    Order& entry = company.orders[static_cast<size_t>(index)];
    const int delivery = company.calendar.DeliveryOf(order.day);
    const bool late = draw.Below(300) == 0 && delivery < kDeliveries;  // comes with the next delivery, after its own update
    WriteVersion(index, order, known, late ? delivery + 1 : 0);
    if (order.status == 0) Settle(index, order, known);
    entry.real = order;
  }

  // A pending order is completed or cancelled some days later, now and then with another total.
  void Settle(int64_t index, OrderVersion& order, bool known) {
    const int64_t settled = order.updated + draw.Between(3'600, 6 * int64_t{86'400}) * kSecond;
    const size_t status = draw.Chance(80) ? 2 : 3;
    if (draw.Chance(10)) order.cents += 100;
    if (settled >= DayMicros(company.calendar.days)) return;
    order.updated = settled;
    order.status = status;
    WriteVersion(index, order, known);
  }
};

// What dim_customers says of the customer at the end of that day: the region, or Unknown.
std::string_view RegionAt(const Company& company, const OrderVersion& order) {
  if (order.user < 0) return "Unknown";
  std::string_view region = "Unknown";
  for (const UserVersion& version : company.users[static_cast<size_t>(order.user)].versions) {
    if (version.updated >= DayMicros(order.day + 1)) break;
    const std::string_view code = std::string_view(version.tracked).substr(version.tracked.size() - 2);
    for (const Country& country : kCountries) {
      if (country.code == code) region = country.region;
    }
  }
  return region;
}

void NoteOrderFacts(Company& company) {
  int64_t distinct = 0, orphans = 0;
  std::map<std::string, int64_t> by_status, sales_by_month, sales_by_region_channel;
  for (const Order& order : company.orders) {
    const OrderVersion& it = order.arrived;
    if (it.updated < 0) continue;
    ++distinct;
    orphans += it.user < 0 || company.users[static_cast<size_t>(it.user)].versions.empty();
    ++by_status[std::string(kStatuses[it.status])];
    if (!IsSale(it.status)) continue;
    const int64_t usd = ToUsdCents(it.cents, company.fx.AsOf(it.currency, it.day));
    sales_by_month[MonthText(it.day)] += usd;
    sales_by_region_channel[fmt::format("{}.{}", RegionAt(company, it), kChannels[it.channel])] += usd;
  }
  company.truth.Fact("orders.distinct", distinct);
  company.truth.Fact("orders.without_customer", orphans);
  for (const auto& [status, count] : by_status) company.truth.Fact("orders.by_status." + status, count);
  for (const auto& [month, cents] : sales_by_month) company.truth.Fact("orders.sales_usd_by_month." + month, MoneyText(cents));
  for (const auto& [key, cents] : sales_by_region_channel)
    company.truth.Fact("orders.sales_usd_by_region_channel." + key, MoneyText(cents));
}

}  // namespace

void WriteOrders(Company& company) {
  OrderExport orders{company};
  company.orders.resize(static_cast<size_t>(company.options.orders));
  for (int64_t i = 0; i < company.options.orders; ++i) orders.WriteOrder(i);
  orders.source.Finish();
  NoteOrderFacts(company);
}

void WriteCatalog(Company& company) {
  RecordSource source(kCatalogSpec, company.options.seed, company.landing, company.truth);
  Draw draw(company.options.seed, "catalog");
  const int64_t count = std::clamp<int64_t>(company.options.orders / 200, 20, 2'000);
  company.products.resize(static_cast<size_t>(count));
  std::map<std::string, int64_t> by_category;
  for (int delivery = 1; delivery <= kDeliveries; ++delivery) {
    const int day = company.calendar.DeliveryStart(delivery);
    if (company.calendar.Counts(delivery)) by_category.clear();
    for (int64_t i = 0; i < count; ++i) {
      Product& product = company.products[static_cast<size_t>(i)];
      if (delivery == 1) product = {static_cast<size_t>(draw.Below(kCategories.size())), draw.Between(199, 19'999)};
      if (delivery > 1 && draw.Chance(5)) product.price_cents += 50;  // the snapshot that follows shows new prices
      const bool good = source.Write(
          day, {ProductId(i), fmt::format("{} No. {}", kThings[product.category], i + 1), std::string(kCategories[product.category]),
                fmt::format("Brand {}", static_cast<char>('A' + i % 7)), fmt::format("V{:03}", i % 12 + 1), MoneyText(product.price_cents),
                i % 3 == 0 ? "EUR" : "USD", i % 25 == 0 ? "false" : "true", InstantText(DayMicros(day))});
      if (good) ++by_category[std::string(kCategories[product.category])];
    }
  }
  for (const auto& [category, products] : by_category) company.truth.Fact("products.by_category." + category, products);
}

}  // namespace sluice::cli::retail
