#include "config/interpolate.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sstream>

#include "config/yaml.h"

namespace sluice::config {
namespace {

const std::map<std::string, Node> kVars = {{"n", ScalarOf("12")}, {"word", ScalarOf("abc")}};

Node Put(const std::string& yaml, Diagnostics& diagnostics) { return Interpolate(*ParseYaml(yaml, "f.yml"), kVars, diagnostics); }

Surroundings Fake() {
  return {[](const std::string& name) { return name == "HOST" ? std::optional<std::string>("db") : std::nullopt; },
          [](const std::string& path) -> Result<std::string> {
            if (path == "pw") return std::string("hunter2\n");
            return Fail(NotFoundError("x", "x"));
          }};
}

TEST(Interpolate, PutsVarsInEarlyWithTheirKind) {
  Diagnostics diagnostics;
  const Node node = Put("a: \"${var:n}\"\nb: \"<${var:word}/${var:n}>\"\nc: [\"${var:word}\"]\nd: \"$${var:n} $$ $x\"\n", diagnostics);
  EXPECT_TRUE(diagnostics.ok());
  EXPECT_EQ(node.Find("a")->kind, Kind::kInteger);
  EXPECT_EQ(node.Find("b")->text, "<abc/12>");
  EXPECT_EQ(node.Find("c")->items[0].text, "abc");
  EXPECT_EQ(node.Find("d")->text, "${var:n} $$ $x");
}

TEST(Interpolate, SaysWhereAReferenceIsWrong) {
  Diagnostics diagnostics;
  Put("a: \"x ${var:wrod}\"\nb: ${n}\n", diagnostics);
  ASSERT_EQ(diagnostics.errors.size(), 2u);
  EXPECT_EQ(diagnostics.errors[0].where.ToString(), "f.yml:1:7");
  EXPECT_EQ(diagnostics.errors[0].message, "there is no var \"wrod\" (did you mean \"word\"?)");
  EXPECT_EQ(diagnostics.errors[1].where.ToString(), "f.yml:2:4");
  EXPECT_NE(diagnostics.errors[1].hint.find("${var:n}"), std::string::npos);
}

TEST(Resolve, ReadsLateReferences) {
  EXPECT_EQ(Resolve({"tcp://${env:HOST}:${file:pw}", {}}, Fake())->Reveal(), "tcp://db:hunter2");
  EXPECT_EQ(Resolve({"$${env:HOST}", {}}, Fake())->Reveal(), "${env:HOST}");
  EXPECT_EQ(Resolve({"${env:NONE}", {"f.yml", 1, 2}}, Fake()).error().where.ToString(), "f.yml:1:2");
  EXPECT_EQ(Resolve({"${env:NONE}", {}}, Fake()).error().code, "unset-variable");
  EXPECT_EQ(Resolve({"${file:none}", {}}, Fake()).error().code, "unreadable-file");
  EXPECT_EQ(Resolve({"${secret:x}", {}}, Fake()).error().code, "not-yet");
}

TEST(Secret, IsNeverPrinted) {
  const Secret secret("hunter2");
  std::ostringstream stream;
  stream << secret;
  EXPECT_EQ(stream.str(), "***");
  EXPECT_EQ(secret.Reveal(), "hunter2");
}

}  // namespace
}  // namespace sluice::config
