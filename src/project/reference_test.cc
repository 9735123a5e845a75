#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "config/yaml.h"
#include "project/project_fixture.h"
#include "project/spec.h"

namespace sluice::project {
namespace {

using Json = nlohmann::json;

const std::map<std::string, std::string> kSchemas = {
    {"sluice.yml", "schemas/project.schema.json"}, {"source", "schemas/source.schema.json"}, {"model", "schemas/model.schema.json"}};

std::string ReadFile(const std::string& path) {
  std::ifstream file(std::string(SLUICE_SOURCE_DIR) + "/" + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// With SLUICE_UPDATE_DOCS=1 the file is written instead of compared.
void ExpectFileIs(const std::string& path, const std::string& expected) {
  if (std::getenv("SLUICE_UPDATE_DOCS")) {
    std::filesystem::create_directories(std::filesystem::path(std::string(SLUICE_SOURCE_DIR) + "/" + path).parent_path());
    std::ofstream(std::string(SLUICE_SOURCE_DIR) + "/" + path) << expected;
  }
  EXPECT_EQ(ReadFile(path), expected) << path << " is not what the definitions say: run project_test with SLUICE_UPDATE_DOCS=1";
}

TEST(Reference, PageIsWhatTheDefinitionsSay) { ExpectFileIs("docs/reference.md", ReferenceMarkdown()); }

TEST(Reference, SchemasAreWhatTheDefinitionsSay) {
  for (const auto& [kind, path] : kSchemas) ExpectFileIs(path, JsonSchema(kind));
  EXPECT_EQ(JsonSchema("nothing"), "");
}

template <typename T>
std::vector<Error> ErrorsOf(const config::Type<T>& type, const config::Node& node) {
  Diagnostics diagnostics;
  config::Reader reader{diagnostics, false, ""};
  T out;
  type.read(node, reader, &out);
  return diagnostics.errors;
}

template <typename T>
void ExpectExampleDecodes(const config::Type<T>& type) {
  ASSERT_FALSE(type.shape->example.empty()) << type.shape->name;
  const auto node = config::ParseYaml(type.shape->example, type.shape->name);
  ASSERT_TRUE(node) << node.error().ToString();
  for (const Error& error : ErrorsOf(type, *node)) ADD_FAILURE() << error.ToString();
}

TEST(Reference, ExamplesDecode) {
  ExpectExampleDecodes(ProjectType());
  ExpectExampleDecodes(EnvironmentType());
  ExpectExampleDecodes(SourceFileType());
  ExpectExampleDecodes(ModelType());
  ExpectExampleDecodes(CheckType());
  ExpectExampleDecodes(ContractType());
}

// The YAML block that follows `heading` in the page.
std::string BlockAfter(const std::string& heading) {
  const std::string page = ReferenceMarkdown();
  const size_t begin = page.find("```yaml\n", page.find(heading)) + 8;
  return page.substr(begin, page.find("```", begin) - begin);
}

TEST(Reference, ExampleOfManyTablesMakesThem) {
  ProjectFolder folder({{"sluice.yml", ProjectType().shape->example}, {"sources/crm.yml", BlockAfter("### Many tables in one file")}});
  const auto project = folder.Load();
  ASSERT_TRUE(project) << project.error().ToString();
  EXPECT_EQ(project->sources.size(), 2u);
}

TEST(Reference, ExamplesMakeAProject) {
  ProjectFolder folder({{"sluice.yml", ProjectType().shape->example},
                        {"sources/orders.yml", SourceFileType().shape->example},
                        {"models/silver/orders.yml", ModelType().shape->example},
                        {"models/silver/orders.sql", "select * from bronze.orders"},
                        {"models/silver/customers.sql", "select 1 as customer_id"}});
  const auto project = folder.Load();
  EXPECT_TRUE(project) << project.error().ToString();
}

// Every object of the definitions with all its keys.
void Collect(const config::Shape& shape, std::map<std::string, std::set<std::string>>& objects) {
  for (const auto& part : shape.parts) Collect(*part, objects);
  for (const auto& field : shape.fields) Collect(*field.shape, objects);
  if (shape.kind != config::Shape::Kind::kObject) return;
  for (const auto& field : shape.fields) objects[shape.name].insert(field.name);
}

std::set<std::string> KeysOf(const Json& properties) {
  std::set<std::string> keys;
  for (const auto& [key, value] : properties.items()) keys.insert(key);
  return keys;
}

TEST(Reference, SchemasHaveExactlyTheDecodersKeys) {
  const std::map<std::string, config::ShapePtr> shapes = {
      {"sluice.yml", ProjectType().shape}, {"source", SourceFileType().shape}, {"model", ModelType().shape}};
  for (const auto& [kind, shape] : shapes) {
    const Json schema = Json::parse(JsonSchema(kind));
    EXPECT_EQ(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    EXPECT_EQ(schema["additionalProperties"], false);
    std::map<std::string, std::set<std::string>> objects;
    Collect(*shape, objects);
    EXPECT_EQ(KeysOf(schema["properties"]), objects[shape->name]);
    for (const auto& [name, definition] : schema["$defs"].items()) EXPECT_EQ(KeysOf(definition["properties"]), objects[name]) << name;
  }
}

// What the schema knows the decoder takes: no key of it is unknown to it.
template <typename T>
void ExpectKeysKnown(const config::Type<T>& type, const std::string& kind) {
  config::Node node = config::EmptyMapAt({});
  const Json schema = Json::parse(JsonSchema(kind));
  for (const auto& [key, value] : schema["properties"].items()) node.entries.push_back({key, {}, {}});
  for (const Error& error : ErrorsOf(type, node)) EXPECT_NE(error.code, "unknown-key") << error.message;
}

TEST(Reference, DecoderKnowsTheSchemasKeys) {
  ExpectKeysKnown(ProjectType(), "sluice.yml");
  ExpectKeysKnown(SourceFileType(), "source");
  ExpectKeysKnown(ModelType(), "model");
}

TEST(Reference, RepositorysExamplesAreRight) {
  int projects = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(SLUICE_SOURCE_DIR) + "/examples")) {
    if (!std::filesystem::exists(entry.path() / "sluice.yml")) continue;
    ++projects;
    const auto project = LoadProject({entry.path().string(), "", {}});
    EXPECT_TRUE(project) << project.error().ToString();
    if (project)
      for (const Error& warning : project->warnings) ADD_FAILURE() << warning.ToString();
  }
  EXPECT_GE(projects, 2);
}

TEST(Reference, EveryKeyIsExplained) {
  for (const auto& shape : {ProjectType().shape, EnvironmentType().shape, SourceFileType().shape, ModelType().shape})
    for (const auto& field : shape->fields) EXPECT_TRUE(field.doc.ends_with('.')) << shape->name << "." << field.name;
}

}  // namespace
}  // namespace sluice::project
