#include "cli/retail/company.h"

#include <fmt/core.h>

#include "cli/retail/retail.h"

namespace sluice::cli::retail {

const std::array<Country, 9> kCountries = {{
    {"US", "Americas", 0, {"United States", "USA", "us"}, {"Austin", "Portland", "Chicago"}, {"TX", "OR", "IL"}, "(###) ###-####"},
    {"CA", "Americas", 0, {"Canada", "CAN", "ca"}, {"Toronto", "Calgary", "Halifax"}, {"ON", "AB", "NS"}, "+1 ### ### ####"},
    {"BR", "Americas", 5, {"Brazil", "Brasil", "BR"}, {"São Paulo", "Recife", "Curitiba"}, {"SP", "PE", "PR"}, "+55 ## #####-####"},
    {"GB", "EMEA", 2, {"United Kingdom", "UK", "GB"}, {"Leeds", "Bristol", "Glasgow"}, {"", "", ""}, "0## #### ####"},
    {"DE", "EMEA", 1, {"Germany", "Deutschland", "DE"}, {"Köln", "Leipzig", "Bremen"}, {"NW", "SN", "HB"}, "0## / ########"},
    {"FR", "EMEA", 1, {"France", "FRANCE", "fr"}, {"Lyon", "Lille", "Nîmes"}, {"", "", ""}, "## ## ## ## ##"},
    {"JP", "APAC", 3, {"Japan", "JAPAN", "JP"}, {"Sapporo", "Kobe", "Sendai"}, {"", "", ""}, "0##-###-####"},
    {"AU", "APAC", 4, {"Australia", "AUS", "au"}, {"Perth", "Hobart", "Cairns"}, {"WA", "TAS", "QLD"}, "0# #### ####"},
    {"IN", "APAC", 6, {"India", "INDIA", "IN"}, {"Pune", "Jaipur", "Kochi"}, {"MH", "RJ", "KL"}, "+91-#####-#####"},
}};

const std::array<std::string_view, 16> kFirstNames = {"Ada",    "Bruno",  "Chloé", "Dmitri", "Élise", "Farah", "Goran", "Hana",
                                                      "Ingrid", "Jürgen", "Keiko", "Luís",   "Mei",   "Noor",  "Olga",  "Priya"};
const std::array<std::string_view, 16> kLastNames = {"Anders", "Brandt", "Castillo", "Dubois",    "Eriksen", "Fischer", "Gupta",  "Hughes",
                                                     "Ito",    "Jansen", "Kowalski", "Lindqvist", "Müller",  "O'Brien", "Santos", "Yamada"};

std::string OrderId(int64_t index) { return fmt::format("ORD{:07}", index + 1); }
std::string CustomerId(int64_t user) { return fmt::format("CUST{:06}", user + 1); }
std::string ProductId(int64_t product) { return fmt::format("P-{:05}", product + 1); }

namespace {

Status CheckOptions(const RetailOptions& options) {
  if (options.orders < 1 || options.events < 1 || options.crm < 1) {
    return Fail(UserError("bad-option", "--orders, --events and --crm must be at least 1"));
  }
  if (options.days < 3) return Fail(UserError("bad-option", "--days must be at least 3, one for each delivery"));
  if (options.part < 0 || options.part > kDeliveries) {
    return Fail(
        UserError("bad-option", fmt::format("--deliver must be between 1 and {}", kDeliveries)).Hint("leave it out to get all of them"));
  }
  return Ok();
}

}  // namespace

Status GenerateRetail(const RetailOptions& options) {
  SLUICE_CHECK(CheckOptions(options));
  Company company(options);
  WriteFxRates(company);
  WriteOffices(company);
  WriteUsers(company);
  WriteCatalog(company);
  WriteOrders(company);
  WriteTransactions(company);
  WriteAccounts(company);
  WriteInventory(company);
  WriteEvents(company);
  WriteCrm(company);
  SLUICE_CHECK(company.landing.Write(options.out_dir));
  return WriteTextFile(options.out_dir + "/truth.json", company.truth.Render(options));
}

}  // namespace sluice::cli::retail
