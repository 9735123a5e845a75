#pragma once
// The made-up company: who its customers are, what it sells, what a currency was worth. Each Write… function makes the files of a
// few sources and notes what must come out of them in silver and gold.
#include <array>
#include <cstdint>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/retail/landing.h"
#include "cli/retail/retail.h"
#include "cli/retail/truth.h"

namespace sluice::cli::retail {

struct Currency {
  std::string_view code;
  int64_t usd_millionths;  // about what one unit is worth
};
inline constexpr std::array<Currency, 7> kCurrencies = {
    {{"USD", 1'000'000}, {"EUR", 1'084'500}, {"GBP", 1'268'300}, {"JPY", 6'721}, {"AUD", 662'100}, {"BRL", 201'300}, {"INR", 12'044}}};

struct Country {
  std::string_view code, region;
  size_t currency;                            // index in kCurrencies
  std::array<std::string_view, 3> spellings;  // as people type it
  std::array<std::string_view, 3> cities, states;
  std::string_view phone;  // format of a number, # is a digit
};
extern const std::array<Country, 9> kCountries;
extern const std::array<std::string_view, 16> kFirstNames, kLastNames;

class FxRates {
 public:
  void Publish(size_t currency, int day, int64_t usd_millionths) { rates_[currency][day] = usd_millionths; }
  // The last one published until that day (design of silver.fx_rates: an as-of join).
  int64_t AsOf(size_t currency, int day) const { return std::prev(rates_.at(currency).upper_bound(day))->second; }

 private:
  std::map<size_t, std::map<int, int64_t>> rates_;
};

struct UserVersion {    // one that reached bronze
  int64_t updated;      // micros
  std::string tracked;  // what dim_customers tracks, joined
};
struct User {
  size_t country = 0, city = 0;
  std::string first_name, last_name, email;
  int registered = 0;  // day, may lie before the first
  std::vector<UserVersion> versions;
};
struct Product {
  size_t category = 0;
  int64_t price_cents = 0;
};
struct OrderVersion {
  int64_t updated = -1;  // micros; -1: none
  int day = 0;           // of order_date
  int64_t user = 0, cents = 0;
  size_t currency = 0, status = 0, channel = 0;
};
struct Order {
  OrderVersion real;     // what happened, whatever the export made of it
  OrderVersion arrived;  // the latest version that reached bronze
};

struct Company {
  explicit Company(const RetailOptions& o) : options(o), calendar{o.days, o.part}, landing(calendar) {}
  RetailOptions options;
  Calendar calendar;
  Landing landing;
  Truth truth;
  FxRates fx;
  std::vector<User> users;        // user_id = index + 1
  std::vector<Product> products;  // product_id = index + 1
  std::vector<Order> orders;      // order_id = OrderId(index)
};

inline constexpr std::array<std::string_view, 4> kStatuses = {"pending", "shipped", "completed", "cancelled"};
inline bool IsSale(size_t status) { return status == 1 || status == 2; }

std::string OrderId(int64_t index);      // ORD0000001
std::string CustomerId(int64_t user);    // CUST000001, of a 0-based user
std::string ProductId(int64_t product);  // P-00001, of a 0-based product

// In this order: later ones look up what earlier ones made.
void WriteFxRates(Company& company);  // finance
void WriteOffices(Company& company);  // HR, vendors
void WriteUsers(Company& company);    // database dumps
void WriteCatalog(Company& company);
void WriteOrders(Company& company);
void WriteTransactions(Company& company);
void WriteAccounts(Company& company);  // subscriptions, sessions
void WriteInventory(Company& company);
void WriteEvents(Company& company);
void WriteCrm(Company& company);

}  // namespace sluice::cli::retail
