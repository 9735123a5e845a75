// FX rates, and the ledger of payments, refunds and fees.
#include <fmt/core.h>

#include "cli/retail/company.h"
#include "cli/retail/money.h"
#include "cli/retail/record_source.h"

namespace sluice::cli::retail {
namespace {

using Kind = Dirt::Kind;

const SourceSpec kFxSpec = {
    .name = "fx_rates",
    .path = "finance/fx_rates/fx_{}.csv",
    .per = FilePer::kWeek,
    .columns = {"rate_date", "currency", "usd_per_unit"},
    .dirt = {{Kind::kField, 2, "-1.000000", "min"},
             {Kind::kRepeat},
             {Kind::kField, 0, "2026-02-30", "type"},
             {Kind::kField, 2, "n.a.", "type"},
             {Kind::kField, 1, "EURO", "pattern"}},
    .every = 60,
};

const SourceSpec kTransactionSpec = {
    .name = "financial_transactions",
    .path = "warehouse/financial_transactions/transactions_{}.csv",
    .per = FilePer::kWeek,
    .dialect = {.crlf = true},
    .columns = {"transaction_id", "order_id", "transaction_type", "amount", "currency", "transaction_date", "payment_method", "posted_at"},
    .dirt = {{Kind::kField, 3, "12,50", "type"},
             {Kind::kRepeat},
             {Kind::kField, 5, "2026-02-30", "type"},
             {Kind::kContradict, 3, "0.01", "unique"},
             {Kind::kField, 2, "chargebck", "values"},
             {Kind::kShort, -1, "", "fields"},
             {Kind::kResend},
             {Kind::kField, 0, "", "not_null"},
             {Kind::kWarn, 6, "cheque", "values"},
             {Kind::kField, 4, "XXX", "values"},
             {Kind::kField, 7, "yesterday", "type"}},
    .every = 90,
    .unique = "transaction_id",
};

constexpr std::array<std::string_view, 4> kPaymentMethods = {"card", "paypal", "bank_transfer", "gift_card"};

bool IsWeekend(int day) { return (kFirstDay + day + 4) % 7 % 6 == 0; }  // 1970-01-01 was a Thursday; 0 Sunday, 6 Saturday

// The first rates are older than any document that needs one and are never spoilt: an as-of join always finds one.
void PublishOpeningRates(Company& company, RecordSource& source) {
  for (size_t c = 0; c < kCurrencies.size(); ++c) {
    source.WriteClean(-30, {DateText(-30), std::string(kCurrencies[c].code), DecimalText(kCurrencies[c].usd_millionths, 6)});
    company.fx.Publish(c, -30, kCurrencies[c].usd_millionths);
  }
}

struct Ledger {
  Company& company;
  RecordSource source{kTransactionSpec, company.options.seed, company.landing, company.truth};
  Draw draw{company.options.seed, "transactions"};
  int64_t next = 0, rows = 0, orphans = 0;
  std::map<std::string, int64_t> usd_by_type;  // cents
  std::map<std::string, int64_t> net_by_month;

  void Post(std::string_view type, const std::string& order, bool known_order, size_t currency, int64_t cents, int day) {
    if (day >= company.calendar.days) return;
    const std::string posted = InstantText(DayMicros(day) + draw.Below(86'400) * kSecond);
    const bool good =
        source.Write(day, {fmt::format("TX{:08}", ++next), order, std::string(type), MoneyText(cents),
                           std::string(kCurrencies[currency].code), DateText(day), std::string(draw.Pick(kPaymentMethods)), posted});
    if (!good) return;
    ++rows;
    orphans += !known_order;
    const int64_t usd = ToUsdCents(cents, company.fx.AsOf(currency, day));
    usd_by_type[std::string(type)] += usd;
    net_by_month[MonthText(day)] += usd;
  }
};

}  // namespace

void WriteFxRates(Company& company) {
  RecordSource source(kFxSpec, company.options.seed, company.landing, company.truth);
  PublishOpeningRates(company, source);
  Draw draw(company.options.seed, "fx");
  std::array<int64_t, kCurrencies.size()> rates;
  for (size_t c = 0; c < rates.size(); ++c) rates[c] = kCurrencies[c].usd_millionths;
  for (int day = -3; day < company.calendar.days; ++day) {
    if (IsWeekend(day)) continue;  // markets are closed: why silver joins as of
    for (size_t c = 0; c < rates.size(); ++c) {
      if (c > 0) rates[c] += rates[c] * draw.Between(-40, 40) / 10'000;
      const bool good = source.Write(day, {DateText(day), std::string(kCurrencies[c].code), DecimalText(rates[c], 6)});
      if (good) company.fx.Publish(c, day, rates[c]);
    }
  }
}

void WriteTransactions(Company& company) {
  Ledger ledger{company};
  for (size_t i = 0; i < company.orders.size(); ++i) {
    const OrderVersion& order = company.orders[i].real;
    const bool known = company.orders[i].arrived.updated >= 0;
    if (!IsSale(order.status) || order.cents <= 0) continue;
    const std::string id = OrderId(static_cast<int64_t>(i));
    ledger.Post("payment", id, known, order.currency, order.cents, order.day + static_cast<int>(ledger.draw.Below(3)));
    const int later = order.day + 3 + static_cast<int>(ledger.draw.Below(10));
    if (ledger.draw.Chance(5)) ledger.Post("refund", id, known, order.currency, -(order.cents / 2), later);
    if (ledger.draw.Chance(1)) ledger.Post("payment", "ORD9" + id.substr(4), false, order.currency, order.cents, order.day);
    if (i % 20 == 0) ledger.Post("fee", "", true, 0, -250 - ledger.draw.Below(500), order.day);
  }
  ledger.source.Finish();
  company.truth.Fact("transactions.rows", ledger.rows);
  company.truth.Fact("transactions.without_order", ledger.orphans);
  for (const auto& [type, cents] : ledger.usd_by_type) company.truth.Fact("transactions.usd_by_type." + type, MoneyText(cents));
  for (const auto& [month, cents] : ledger.net_by_month) company.truth.Fact("transactions.net_usd_by_month." + month, MoneyText(cents));
}

}  // namespace sluice::cli::retail
