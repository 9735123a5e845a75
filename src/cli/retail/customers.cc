// The users table of the shop's database, dumped as changes per week.
#include <fmt/core.h>

#include "cli/retail/company.h"
#include "cli/retail/record_source.h"

namespace sluice::cli::retail {
namespace {

using Kind = Dirt::Kind;

const SourceSpec kUserSpec = {
    .name = "users",
    .path = "dumps/users/users_{}.csv",
    .per = FilePer::kWeek,
    .columns = {"user_id", "first_name", "last_name", "email", "phone", "address", "city", "state", "country", "registration_date",
                "updated_at"},
    .dirt = {{Kind::kField, 9, "2025-02-30", "type"},
             {Kind::kWarn, 4, "call me", "pattern"},
             {Kind::kBadBytes, 6, "", "encoding"},
             {Kind::kField, 0, "guest", "type"},
             {Kind::kRepeat},
             {Kind::kShort, -1, "", "fields"},
             {Kind::kField, 8, "\\N", "not_null"},
             {Kind::kResend}},
    .every = 120,
};

std::string Phone(std::string_view format, Draw& draw) {
  std::string phone(format);
  for (char& c : phone) {
    if (c == '#') c = static_cast<char>('0' + draw.Below(10));
  }
  return phone;
}

User NewUser(int64_t index, int days, Draw& draw) {
  User user;
  user.country = static_cast<size_t>(draw.Below(kCountries.size()));
  user.city = static_cast<size_t>(draw.Below(3));
  user.first_name = draw.Pick(kFirstNames);
  user.last_name = draw.Pick(kLastNames);
  user.email = fmt::format("user{}@{}", index + 1, draw.Chance(50) ? "example.com" : "example.org");
  user.registered = draw.Chance(70) ? -1 - static_cast<int>(draw.Below(400)) : static_cast<int>(draw.Below(days));
  return user;
}

struct UserDump {
  Company& company;
  RecordSource source{kUserSpec, company.options.seed, company.landing, company.truth};
  Draw draw{company.options.seed, "users"};

  void WriteVersion(size_t index, int64_t updated) {
    User& user = company.users[index];
    const Country& country = kCountries[user.country];
    const std::string city(country.cities[user.city]), state(country.states[user.city]);
    // Addresses hold what addresses hold: commas, quotes and line breaks.
    const int64_t house = draw.Between(1, 99);
    const std::string address =
        draw.Chance(10) ? fmt::format("{} \"Rose\" Lane\nFlat 2", house) : fmt::format("{} High Street, No. 4", house);
    const std::string email = draw.Chance(10) ? " " + user.email + " " : user.email;  // trimmed by the contract
    const int day = static_cast<int>((updated - DayMicros(0)) / kDay) - (updated < DayMicros(0));
    const bool good = source.Write(
        day, {std::to_string(index + 1), user.first_name, user.last_name, email, Phone(country.phone, draw), address, city,
              state.empty() ? "\\N" : state, std::string(draw.Pick(country.spellings)), DateText(user.registered), WallClockText(updated)});
    if (good) user.versions.push_back({updated, fmt::format("{}|{}|{}|{}", user.last_name, user.email, city, country.code)});
  }

  // Moves, marriages and new addresses; and changes of the phone only, which no tracked column shows.
  void Change(size_t index) {
    User& user = company.users[index];
    const int64_t kind = draw.Below(10);
    if (kind < 5) user.city = (user.city + 1) % 3;
    if (kind == 5) user.country = (user.country + 1) % kCountries.size();
    if (kind == 6) user.last_name = draw.Pick(kLastNames);
    if (kind == 7) user.email = fmt::format("new{}.{}", draw.Below(100), user.email);
  }

  void WriteUser(size_t index) {
    const User user = company.users[index];
    int64_t updated = DayMicros(user.registered) + draw.Below(80'000) * kSecond;
    WriteVersion(index, updated);
    const int64_t changes = draw.Chance(15) ? draw.Between(1, 4) : 0;
    for (int64_t i = 0; i < changes; ++i) {
      updated = std::max(updated, DayMicros(0)) + draw.Between(3'600, 86'400 * company.calendar.days / 3) * kSecond;
      if (updated >= DayMicros(company.calendar.days)) return;
      Change(index);
      WriteVersion(index, updated);
    }
  }
};

// An intervals' count of slowly changing history: a version that changes nothing tracked adds none.
int64_t CountIntervals(const User& user) {
  int64_t intervals = 0;
  for (size_t i = 0; i < user.versions.size(); ++i) intervals += i == 0 || user.versions[i].tracked != user.versions[i - 1].tracked;
  return intervals;
}

void NoteFacts(Company& company) {
  int64_t known = 0, intervals = 0;
  std::map<int64_t, int64_t> histogram;
  for (size_t i = 0; i < company.users.size(); ++i) {
    const int64_t own = CountIntervals(company.users[i]);
    if (own == 0) continue;
    ++known, intervals += own, ++histogram[own];
    if (own > 1) company.truth.Fact("customers.versions_of." + CustomerId(static_cast<int64_t>(i)), own);
  }
  company.truth.Fact("customers.known", known);
  company.truth.Fact("customers.versions", intervals);
  for (const auto& [versions, customers] : histogram) company.truth.Fact(fmt::format("customers.by_versions.{}", versions), customers);
}

}  // namespace

void WriteUsers(Company& company) {
  UserDump dump{company};
  const int64_t count = std::max<int64_t>(company.options.orders / 10, 5);
  for (int64_t i = 0; i < count; ++i) {
    company.users.push_back(NewUser(i, company.calendar.days, dump.draw));
    dump.WriteUser(static_cast<size_t>(i));
  }
  dump.source.Finish();
  NoteFacts(company);
}

}  // namespace sluice::cli::retail
