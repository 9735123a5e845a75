#include "core/counted.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(Counted, PutsTheWordIntoTheNumbersForm) {
  EXPECT_EQ(Counted(1, "row"), "1 row");
  EXPECT_EQ(Counted(0, "row"), "0 rows");
  EXPECT_EQ(Counted(10412, "row"), "10,412 rows");
  EXPECT_EQ(Counted(-1, "row"), "-1 rows");
}

TEST(Counted, TakesAPluralThatIsNotFormedWithS) {
  EXPECT_EQ(Counted(1, "value does", "values do"), "1 value does");
  EXPECT_EQ(Counted(2, "value does", "values do"), "2 values do");
}

}  // namespace
}  // namespace sluice
