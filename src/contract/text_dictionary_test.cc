#include "contract/text_dictionary.h"

#include <arrow/api.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "contract/decode_column.h"
#include "contract/rules.h"
#include "core/clock.h"

namespace sluice::contract {
namespace {

using Views = std::vector<std::string_view>;

std::string TextAt(const TextDictionary& dictionary, int32_t place) {
  return static_cast<const arrow::StringArray&>(*dictionary.Texts()).GetString(place);
}

TEST(TextDictionary, NumbersTextsAsTheyCome) {
  TextDictionary dictionary;
  std::vector<int32_t> places(6);
  ASSERT_TRUE(dictionary.Find(Views{"b", "a", std::string_view(), "", "b", "a longer one"}, places.data()));
  EXPECT_EQ(places, (std::vector<int32_t>{0, 1, -1, 2, 0, 3}));
  EXPECT_EQ(TextAt(dictionary, 3), "a longer one");
  EXPECT_EQ(TextAt(dictionary, 2), "");
}

TEST(TextDictionary, TextsOfEveryLengthAreToldApart) {
  TextDictionary dictionary;
  std::vector<std::string> texts;
  for (size_t length = 0; length <= 40; ++length)
    for (size_t changed = 0; changed < std::max<size_t>(length, 1); ++changed) {
      texts.emplace_back(length, 'x');
      if (length > 0) texts.back()[changed] = 'y';
    }
  const Views views(texts.begin(), texts.end());
  std::vector<int32_t> places(texts.size());
  ASSERT_TRUE(dictionary.Find(views, places.data()));
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(places[i], static_cast<int32_t>(i));
    EXPECT_EQ(TextAt(dictionary, places[i]), texts[i]);
  }
}

TEST(TextDictionary, TooManyTextsAreNoDictionary) {
  TextDictionary dictionary;
  std::vector<std::string> texts;
  for (size_t i = 0; i <= TextDictionary::kMaxTexts; ++i) texts.push_back("t" + std::to_string(i));
  const Views views(texts.begin(), texts.end());
  std::vector<int32_t> places(texts.size());
  EXPECT_TRUE(dictionary.Find(std::span(views).first(TextDictionary::kMaxTexts), places.data()));
  EXPECT_FALSE(dictionary.Find(views, places.data()));
  EXPECT_FALSE(dictionary.Find(std::span(views).first(1), places.data()));  // for good
  EXPECT_EQ(TextAt(dictionary, 4095), "t4095");                             // what it gave stays
}

TEST(TextDictionary, LongTextsAreNoDictionary) {
  const std::string just(255, 'x'), beyond(256, 'x');
  TextDictionary dictionary, other;
  int32_t place = 0;
  EXPECT_TRUE(dictionary.Find(Views{just}, &place));
  EXPECT_FALSE(other.Find(Views{beyond}, &place));
  std::vector<std::string> texts;  // of more bytes than it holds
  for (int i = 0; i < 2000; ++i) texts.push_back(std::to_string(i) + std::string(200, 'x'));
  std::vector<int32_t> places(texts.size());
  EXPECT_FALSE(dictionary.Find(Views(texts.begin(), texts.end()), places.data()));
}

TEST(TextDictionary, ThreadsSeeTheSamePlaces) {
  TextDictionary dictionary;
  std::vector<std::string> texts;
  for (int i = 0; i < 3000; ++i) texts.push_back("value " + std::to_string(i));
  std::vector<std::jthread> threads;
  std::atomic<int> wrong = 0;
  for (uint64_t seed = 1; seed <= 4; ++seed)
    threads.emplace_back([&, seed] {
      SeededRandom random(seed);
      Views views;
      std::vector<int32_t> places(200);
      for (int round = 0; round < 200; ++round) {
        views.clear();
        for (int i = 0; i < 200; ++i) views.emplace_back(texts[random.Next() % texts.size()]);
        if (!dictionary.Find(views, places.data())) ++wrong;
        const auto array = dictionary.Texts();
        const auto& known = static_cast<const arrow::StringArray&>(*array);
        for (size_t i = 0; i < views.size(); ++i) wrong += places[i] >= known.length() || known.GetView(places[i]) != views[i];
      }
    });
  threads.clear();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(dictionary.Texts()->length(), 3000);
}

std::string Said(const RowRules& rules, const std::shared_ptr<arrow::Array>& column) {
  const auto batch = arrow::RecordBatch::Make(arrow::schema({arrow::field("c", column->type())}), column->length(), {column});
  std::vector<Violation> violations;
  rules.Check(*batch, {}, &violations);
  std::sort(violations.begin(), violations.end(),
            [](const auto& a, const auto& b) { return std::tie(a.row, a.rule) < std::tie(b.row, b.rule); });
  std::string text;
  for (const Violation& v : violations) text += fmt::format("{} {} {} {} {}\n", v.row, v.column, v.rule, v.value, v.message);
  return text;
}

// Rules on places in a dictionary say what they say on the texts themselves, however often the dictionary has grown since.
TEST(TextDictionary, RulesSayTheSameOfIt) {
  Contract contract;
  contract.columns.emplace_back();
  ColumnContract& column = contract.columns[0];
  column.name = "c";
  column.type = DataType::Of(TypeKind::kString);
  column.not_null = true;
  column.pattern = "[a-f0-9]*";
  column.values = {"a", "b", "12", "cc", "g", "longer than that"};
  column.min = "12";
  column.max_length = 8;
  const RowRules rules = RowRules::Compile(contract).value(), same = RowRules::Compile(contract).value();
  const auto decoder = TextDecoder::Make(column.type, {}, "", {}).value();
  const std::vector<std::string> texts = {"a", "b", "12", "cc", "g", "longer than that", "x", "", "0", "zz", "12345678901", "f"};
  TextDictionary dictionary, other;
  SeededRandom random(1);
  int said = 0;
  for (int round = 0; round < 30; ++round) {
    Views fields;
    for (int i = 0; i < 20; ++i) {
      const size_t known = std::min<size_t>(texts.size(), 3 + static_cast<size_t>(round));
      fields.push_back(random.Next() % 5 == 0 ? std::string_view() : std::string_view(texts[random.Next() % known]));
    }
    std::vector<Violation> none;
    const auto places = DecodeColumn(decoder, "c", fields, &none, round % 7 == 6 ? &other : &dictionary).value();
    const auto dense = DecodeColumn(decoder, "c", fields, &none).value();
    ASSERT_EQ(places->type_id(), arrow::Type::DICTIONARY);
    const std::string expected = Said(same, dense);
    EXPECT_EQ(Said(rules, places), expected);
    said += expected.empty() ? 0 : 1;
  }
  EXPECT_GT(said, 20);
}

}  // namespace
}  // namespace sluice::contract
