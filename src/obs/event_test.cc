#include "obs/event.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace sluice::obs {
namespace {

TEST(JsonLines, EachLineIsAnObjectWithTheRunsContext) {
  std::ostringstream out;
  FixedClock clock({1700000000000000});
  auto sink = NewJsonLinesSink(out, Level::kInfo, clock, {"run-1", "trace-1", "dev"});
  sink->Emit({Level::kWarn, Kind::kMessage, "bronze.orders", "bad \"bytes\" \xff", 0, 0, {{"rule", "type"}}});
  const auto line = nlohmann::json::parse(out.str());
  EXPECT_EQ(line["ts"], "2023-11-14T22:13:20Z");
  EXPECT_EQ(line["level"], "warn");
  EXPECT_EQ(line["run"], "run-1");
  EXPECT_EQ(line["node"], "bronze.orders");
  EXPECT_EQ(line["rule"], "type");
}

TEST(JsonLines, LeavesOutLowerLevels) {
  std::ostringstream out;
  FixedClock clock({1700000000000000});
  auto sink = NewJsonLinesSink(out, Level::kWarn, clock, {"run-1", "trace-1", "dev"});
  sink->Emit({Level::kDebug, Kind::kNodeStarted, "a", "", 0, 0, {}});
  sink->Emit({Level::kInfo, Kind::kNodeFinished, "a", "a ok", 0, 0, {}});
  EXPECT_EQ(out.str(), "");
  sink->Emit({Level::kWarn, Kind::kMessage, "a", "late", 0, 0, {}});
  EXPECT_EQ(nlohmann::json::parse(out.str())["message"], "late");
}

TEST(Plain, LeavesOutProgressAndLowerLevels) {
  std::ostringstream out;
  auto sink = NewPlainSink(out, Level::kInfo);
  sink->Emit({Level::kDebug, Kind::kMessage, "", "detail", 0, 0, {}});
  sink->Emit({Level::kInfo, Kind::kNodeStarted, "a", "", 0, 0, {}});
  sink->Emit({Level::kInfo, Kind::kNodeProgress, "a", "", 1, 2, {}});
  sink->Emit({Level::kWarn, Kind::kNodeFinished, "a", "a ok", 0, 0, {}});
  EXPECT_EQ(out.str(), "warning: a ok\n");
}

TEST(Terminal, RedrawsTheLiveLineAndErasesItAtTheEnd) {
  std::ostringstream out;
  {
    auto sink = NewTerminalSink(out, Level::kInfo, false);
    sink->Emit({Level::kInfo, Kind::kNodeStarted, "bronze.a", "", 0, 0, {}});
    sink->Emit({Level::kInfo, Kind::kNodeProgress, "bronze.a", "", 1, 2, {}});
    sink->Emit({Level::kError, Kind::kNodeFinished, "bronze.a", "bronze.a failed", 0, 0, {}});
  }
  EXPECT_NE(out.str().find("running bronze.a 50%"), std::string::npos);
  EXPECT_TRUE(out.str().ends_with("\r\033[Kerror: bronze.a failed\n")) << out.str();
}

TEST(Terminal, CountsWhatIsDone) {
  std::ostringstream out;
  auto sink = NewTerminalSink(out, Level::kInfo, false);
  for (const char* node : {"bronze.a", "bronze.b"}) sink->Emit({Level::kInfo, Kind::kNodeStarted, node, "", 0, 0, {}});
  sink->Emit({Level::kInfo, Kind::kNodeFinished, "bronze.a", "bronze.a ok", 0, 0, {}});
  EXPECT_TRUE(out.str().ends_with("\r\033[K1 done, running bronze.b")) << out.str();
}

}  // namespace
}  // namespace sluice::obs
