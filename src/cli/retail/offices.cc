// Spreadsheets of the head office in Leipzig: `;` between fields, 31.01.2026, 1.234,56.
#include <fmt/core.h>

#include "cli/retail/company.h"
#include "cli/retail/money.h"
#include "cli/retail/record_source.h"

namespace sluice::cli::retail {
namespace {

using Kind = Dirt::Kind;

const SourceSpec kEmployeeSpec = {
    .name = "employees",
    .path = "offices/employees.csv",
    .per = FilePer::kDelivery,
    .dialect = {.delimiter = ';', .crlf = true, .bom = true},
    .columns = {"employee_id", "name", "department", "hire_date", "monthly_salary", "manager_id"},
    .dirt = {{Kind::kField, 4, "4500.00", "pattern"}, {Kind::kField, 3, "31.02.2020", "type"}, {Kind::kBadBytes, 1, "", "encoding"}},
    .every = 12,
};

const SourceSpec kVendorSpec = {
    .name = "vendors",
    .path = "offices/vendors.csv",
    .per = FilePer::kDelivery,
    .dialect = {.delimiter = ';', .crlf = true},
    .columns = {"vendor_id", "vendor_name", "country", "contract_start", "yearly_volume"},
    .dirt = {},
};

constexpr std::array<std::string_view, 4> kDepartments = {"Sales", "Finance", "Logistics", "IT"};

}  // namespace

void WriteOffices(Company& company) {
  RecordSource employees(kEmployeeSpec, company.options.seed, company.landing, company.truth);
  Draw draw(company.options.seed, "offices");
  std::map<std::string, int64_t> payroll;
  for (int64_t i = 0; i < 40; ++i) {
    const auto department = std::string(kDepartments[static_cast<size_t>(i % 4)]);
    const int64_t salary = draw.Between(280'000, 1'150'000);
    const std::string_view first = draw.Pick(kFirstNames), last = draw.Pick(kLastNames);
    const bool good = employees.Write(0, {fmt::format("E{:03}", i + 1), fmt::format("{} {}", first, last), department,
                                          DottedDateText(-1 - static_cast<int>(draw.Below(4'000))), ContinentalMoneyText(salary),
                                          i < 4 ? "" : fmt::format("E{:03}", i % 4 + 1)});
    if (good) payroll[department] += salary;
  }
  for (const auto& [department, cents] : payroll) company.truth.Fact("employees.monthly_payroll_eur." + department, MoneyText(cents));

  RecordSource vendors(kVendorSpec, company.options.seed, company.landing, company.truth);
  int64_t volume = 0;
  for (int64_t i = 0; i < 12; ++i) {
    const int64_t cents = draw.Between(1'000'000, 250'000'000);
    vendors.Write(0, {fmt::format("V{:03}", i + 1), fmt::format("{} & Söhne", kLastNames[static_cast<size_t>(i)]),
                      std::string(kCountries[static_cast<size_t>(i % 9)].code), DottedDateText(-200 - static_cast<int>(i) * 31),
                      ContinentalMoneyText(cents)});
    volume += cents;
  }
  company.truth.Fact("vendors.yearly_volume_eur", MoneyText(volume));
}

}  // namespace sluice::cli::retail
