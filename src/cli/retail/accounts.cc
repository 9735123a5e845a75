// What users do with their accounts: subscriptions and sessions, as the database dumps them.
#include <fmt/core.h>

#include "cli/retail/company.h"
#include "cli/retail/money.h"
#include "cli/retail/record_source.h"

namespace sluice::cli::retail {
namespace {

using Kind = Dirt::Kind;

const SourceSpec kSubscriptionSpec = {
    .name = "subscriptions",
    .path = "dumps/subscriptions/subscriptions_{}.csv",
    .per = FilePer::kWeek,
    .columns = {"subscription_id", "user_id", "plan", "monthly_price", "currency", "started_on", "cancelled_on", "updated_at"},
    .dirt = {{Kind::kField, 3, "free", "type"},
             {Kind::kRepeat},
             {Kind::kField, 2, "gold-plated", "values"},
             {Kind::kField, 5, "00.00.0000", "type"},
             {Kind::kResend}},
    .every = 110,
};

const SourceSpec kSessionSpec = {
    .name = "user_sessions",
    .path = "dumps/user_sessions/sessions_{}.csv",
    .per = FilePer::kWeek,
    .columns = {"session_id", "user_id", "started_at", "ended_at", "device", "pages_viewed"},
    .dirt = {{Kind::kField, 5, "many", "type"},
             {Kind::kRepeat},
             {Kind::kField, 3, "2020-01-01 00:00:00", "ends_after_start"},
             {Kind::kField, 2, "2026-01-01 25:61:00", "type"},
             {Kind::kField, 5, "-3", "min"}},
    .every = 100,
};

struct Plan {
  std::string_view name;
  int64_t cents;
};
constexpr std::array<Plan, 3> kPlans = {{{"basic", 499}, {"plus", 999}, {"family", 1'999}}};
constexpr std::array<std::string_view, 3> kDevices = {"desktop", "phone", "tablet"};

std::string OrNull(int day) { return day < 0 ? "\\N" : DateText(day); }

void WriteSubscriptions(Company& company) {
  RecordSource source(kSubscriptionSpec, company.options.seed, company.landing, company.truth);
  Draw draw(company.options.seed, "subscriptions");
  int64_t active = 0, monthly_usd = 0, next = 0;
  for (size_t u = 0; u < company.users.size(); ++u) {
    if (!draw.Chance(25)) continue;
    const Plan& plan = draw.Pick(kPlans);
    const size_t currency = kCountries[company.users[u].country].currency;
    const int64_t cents = plan.cents * 1'000'000 / kCurrencies[currency].usd_millionths;
    const int started = static_cast<int>(draw.Below(company.calendar.days));
    const std::string id = fmt::format("SUB{:06}", ++next);
    const auto row = [&](int cancelled, int64_t updated) {
      return std::vector<std::string>{id,
                                      std::to_string(u + 1),
                                      std::string(plan.name),
                                      MoneyText(cents),
                                      std::string(kCurrencies[currency].code),
                                      DateText(started),
                                      OrNull(cancelled),
                                      WallClockText(updated)};
    };
    const bool began = source.Write(started, row(-1, DayMicros(started) + kSecond));
    const int cancelled = started + 1 + static_cast<int>(draw.Below(60));
    const bool cancels = draw.Chance(20) && cancelled < company.calendar.days;
    const bool ended = cancels && source.Write(cancelled, row(cancelled, DayMicros(cancelled) + 2 * kSecond));
    if (!began || ended) continue;
    ++active;
    monthly_usd += ToUsdCents(cents, company.fx.AsOf(currency, started));
  }
  source.Finish();
  company.truth.Fact("subscriptions.active", active);
  company.truth.Fact("subscriptions.monthly_usd", MoneyText(monthly_usd));
}

void WriteSessions(Company& company) {
  RecordSource source(kSessionSpec, company.options.seed, company.landing, company.truth);
  Draw draw(company.options.seed, "sessions");
  int64_t sessions = 0, pages = 0;
  const int64_t count = std::max<int64_t>(company.options.events / 5, 5);
  for (int64_t i = 0; i < count; ++i) {
    const int day = static_cast<int>(i * company.calendar.days / count);
    const int64_t start = DayMicros(day) + draw.Below(80'000) * kSecond;
    const int64_t viewed = draw.Between(1, 30);
    const bool good =
        source.Write(day, {fmt::format("S{:08}", i + 1), std::to_string(draw.Below(static_cast<int64_t>(company.users.size())) + 1),
                           WallClockText(start), WallClockText(start + draw.Between(10, 3'600) * kSecond), std::string(draw.Pick(kDevices)),
                           std::to_string(viewed)});
    if (good) ++sessions, pages += viewed;
  }
  source.Finish();
  company.truth.Fact("sessions.rows", sessions);
  company.truth.Fact("sessions.pages_viewed", pages);
}

}  // namespace

void WriteAccounts(Company& company) {
  WriteSubscriptions(company);
  WriteSessions(company);
}

}  // namespace sluice::cli::retail
