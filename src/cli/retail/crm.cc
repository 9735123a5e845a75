// The CRM's exports: US dates, byte order mark, CRLF.
#include <fmt/core.h>

#include "cli/retail/company.h"
#include "cli/retail/money.h"
#include "cli/retail/record_source.h"

namespace sluice::cli::retail {
namespace {

using Kind = Dirt::Kind;
constexpr Dialect kCrmDialect = {.crlf = true, .bom = true};

const SourceSpec kAccountSpec = {
    .name = "crm_accounts",
    .path = "crm/accounts/accounts_{}.csv",
    .per = FilePer::kDelivery,
    .dialect = kCrmDialect,
    .columns = {"account_id", "account_name", "industry", "country", "owner_id", "created_on"},
    .dirt = {{Kind::kField, 5, "13/31/2025", "type"},
             {Kind::kContradict, 2, "Other", "unique"},
             {Kind::kField, 1, "", "not_null"},
             {Kind::kRepeat}},
    .every = 100,
    .unique = "account_id",
};

const SourceSpec kContactSpec = {
    .name = "crm_contacts",
    .path = "crm/contacts/contacts_{}.csv",
    .per = FilePer::kDelivery,
    .dialect = kCrmDialect,
    .columns = {"contact_id", "account_id", "first_name", "last_name", "email", "title"},
    .dirt = {{Kind::kWarn, 4, "ask reception", "pattern"},
             {Kind::kRepeat},
             {Kind::kBrokenQuote, 5, "\"Head\" of", "quote"},
             {Kind::kLong, -1, "", "fields"}},
    .every = 100,
};

const SourceSpec kOpportunitySpec = {
    .name = "crm_opportunities",
    .path = "crm/opportunities/opportunities_{}.csv",
    .per = FilePer::kDelivery,
    .dialect = kCrmDialect,
    .columns = {"opportunity_id", "account_id", "stage", "amount", "currency", "close_date", "probability"},
    .dirt = {{Kind::kField, 6, "130", "max"}, {Kind::kField, 3, "1.000,00", "type"}, {Kind::kRepeat}, {Kind::kField, 2, "maybe", "values"}},
    .every = 100,
};

constexpr std::array<std::string_view, 4> kIndustries = {"Retail", "Hospitality", "Education", "Healthcare"};
constexpr std::array<std::string_view, 5> kStages = {"lead", "qualified", "proposal", "won", "lost"};
constexpr std::array<std::string_view, 4> kTitles = {"Buyer", "Head of Purchasing", "CFO", "Owner, founder"};

std::string AccountId(int64_t i) { return fmt::format("ACC{:05}", i + 1); }

// Which day the i-th of n came in: spread over the whole time.
int DayOf(const Company& company, int64_t i, int64_t n) { return static_cast<int>(i * company.calendar.days / n); }

void WriteAccountsAndContacts(Company& company, int64_t accounts, int64_t contacts, Draw& draw) {
  RecordSource source(kAccountSpec, company.options.seed, company.landing, company.truth);
  std::vector<bool> known(static_cast<size_t>(accounts));
  for (int64_t i = 0; i < accounts; ++i) {
    const std::string_view first = draw.Pick(kLastNames), second = draw.Pick(kLastNames);
    known[static_cast<size_t>(i)] = source.Write(
        DayOf(company, i, accounts), {AccountId(i), fmt::format("{} & {} {}", first, second, i + 1), std::string(draw.Pick(kIndustries)),
                                      std::string(draw.Pick(draw.Pick(kCountries).spellings)), fmt::format("E{:03}", draw.Between(1, 40)),
                                      SlashedDateText(DayOf(company, i, accounts))});
  }
  company.truth.Fact("crm.accounts", std::count(known.begin(), known.end(), true));

  RecordSource people(kContactSpec, company.options.seed, company.landing, company.truth);
  int64_t rows = 0, orphans = 0;
  for (int64_t i = 0; i < contacts; ++i) {
    const int64_t account = draw.Chance(2) ? accounts + i : draw.Below(accounts);
    const bool good =
        people.Write(DayOf(company, i, contacts),
                     {fmt::format("CON{:06}", i + 1), AccountId(account), std::string(draw.Pick(kFirstNames)),
                      std::string(draw.Pick(kLastNames)), fmt::format("contact{}@example.net", i + 1), std::string(draw.Pick(kTitles))});
    if (!good) continue;
    ++rows;
    orphans += account >= accounts || !known[static_cast<size_t>(account)];
  }
  company.truth.Fact("crm.contacts", rows);
  company.truth.Fact("crm.contacts_without_account", orphans);
}

}  // namespace

void WriteCrm(Company& company) {
  const int64_t accounts = std::max<int64_t>(company.options.crm / 5, 1), contacts = std::max<int64_t>(company.options.crm * 3 / 5, 1);
  const int64_t opportunities = std::max<int64_t>(company.options.crm / 5, 1);
  Draw draw(company.options.seed, "crm");
  WriteAccountsAndContacts(company, accounts, contacts, draw);
  RecordSource source(kOpportunitySpec, company.options.seed, company.landing, company.truth);
  std::map<std::string, int64_t> by_stage;
  int64_t won_usd = 0;
  for (int64_t i = 0; i < opportunities; ++i) {
    const int day = DayOf(company, i, opportunities);
    const std::string_view stage = draw.Pick(kStages);
    const size_t currency = static_cast<size_t>(draw.Below(kCurrencies.size()));
    const int64_t cents = draw.Between(100'000, 9'000'000) * 1'000'000 / kCurrencies[currency].usd_millionths;
    const bool good =
        source.Write(day, {fmt::format("OPP{:05}", i + 1), AccountId(draw.Below(accounts)), std::string(stage), MoneyText(cents),
                           std::string(kCurrencies[currency].code), SlashedDateText(day), std::to_string(draw.Below(11) * 10)});
    if (!good) continue;
    ++by_stage[std::string(stage)];
    if (stage == "won") won_usd += ToUsdCents(cents, company.fx.AsOf(currency, day));
  }
  for (const auto& [stage, n] : by_stage) company.truth.Fact("crm.opportunities_by_stage." + stage, n);
  company.truth.Fact("crm.won_usd", MoneyText(won_usd));
}

}  // namespace sluice::cli::retail
