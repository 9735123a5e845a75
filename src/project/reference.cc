// JSON Schemas and the reference page, from the decoder's own definitions.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "project/project.h"
#include "project/spec.h"

namespace sluice::project {
namespace {

using config::Shape;

constexpr const char* kIntroduction =
    R"md(# Project reference

Every key of a project's files. This page, the JSON Schemas for editors (in `schemas/`) and the decoder are made from one definition. An editor
that knows the YAML language server takes a schema from the file's first line: `# yaml-language-server: $schema=PATH/source.schema.json`.

A project is a folder:

| file | what it is |
|---|---|
| `sluice.yml` | the [project](#project): lake, connections, environments, defaults |
| `sources/*.yml` | one [source](#source) each, the table `bronze.NAME`; or many `tables` of one connection |
| `models/LAYER/**.sql` | one SELECT each, the table `LAYER.NAME` |
| `models/LAYER/**.yml` | beside the `.sql`, optional: how the [model](#model) is stored, its checks, its description |
| `seeds/*.csv` | small tables, `seed.NAME` |
| `macros/*.sql` | `create macro f(x) as …`, expanded before any engine sees the SQL |
| `tests/*.test` | pipeline tests |

What holds everywhere:

- **Names** of sources, models, seeds, layers, vars and connections have lower-case letters, digits and `_`, and start with a letter.
- **Unknown keys are errors**, with the near one named. All errors of all files are shown at once, each with its file, line and column.
- **A list of one** may be written without brackets: `key: order_id`.
- **YAML 1.2**: only `true` and `false` are booleans; `yes`, `no`, `on` and `off` are texts. Texts that are `null`, `~`, numbers or booleans need quotes
  to be texts; types with a comma, such as `"decimal(12,2)"`, need them inside `{ }`.
- **`${var:x}`** anywhere in a YAML value is the var `x`; in SQL write `$x`, which is bound as a value. `${env:X}` and `${file:path}` are read late, and only in
  places (`lake`, `path`). `$${` is the text `${` itself.
- **Durations** are `30s`, `10m`, `24h`, `7d`, `1h30m`; **shares** are `5%` or `0.05`.

)md";

constexpr const char* kDefaultsAndEnvironments =
    R"md(### How values come together

1. `sluice.yml`, with the keys of the environment laid upon it: maps merge, lists and values replace. The environment is `--env NAME`, else
   `default_environment`.
2. `vars`, each overridden by `--var name=value`, which must be of the declared type.
3. For each source and model the `defaults` whose glob matches its path, the least specific first: the longer the part before the first `*`, the more
   specific. Then a file's own `defaults` (with `tables`), then its own keys.

A default for a key that the model's store does not have is not used there; the same key in the model's own file is an error.

)md";

constexpr const char* kTables =
    R"md(<a id="table"></a>
### Many tables in one file

Under `tables` each entry is a source with the same keys as above, its name is the table's. The file's `connection` and `defaults` are below each of them.

```yaml
connection: drop
defaults:
  load: full
  read: { format: csv, delimiter: ";" }
tables:
  accounts: { read: { files: "crm/accounts_*.txt" } }
  contacts: { read: { files: "crm/contacts_*.txt", delimiter: tab } }
```

)md";

const Shape* FindObject(const Shape& shape, const std::string& name, std::set<const Shape*>& seen) {
  if (!seen.insert(&shape).second) return nullptr;
  if (shape.kind == Shape::Kind::kObject && shape.name == name) return &shape;
  for (const auto& part : shape.parts)
    if (const Shape* found = FindObject(*part, name, seen)) return found;
  for (const auto& field : shape.fields)
    if (const Shape* found = FindObject(*field.shape, name, seen)) return found;
  return nullptr;
}

std::string Section(const Shape& root, const std::string& name, int level) {
  std::set<const Shape*> seen;
  const Shape* found = FindObject(root, name, seen);
  return found ? config::MarkdownOf(*found, level) : "";
}

}  // namespace

std::string JsonSchema(std::string_view kind) {
  const auto make = [](const config::ShapePtr& shape, const char* file, const char* title) {
    return config::JsonSchemaOf(*shape, fmt::format("urn:sluice:schema:{}", file), title);
  };
  if (kind == "sluice.yml") return make(ProjectType().shape, "project", "sluice.yml");
  if (kind == "source") return make(SourceFileType().shape, "source", "sources/*.yml");
  if (kind == "model") return make(ModelType().shape, "model", "models/**/*.yml");
  return "";
}

std::string ReferenceMarkdown() {
  const Shape& project = *ProjectType().shape;
  const Shape& source = *SourceFileType().shape;
  const Shape& model = *ModelType().shape;
  std::string page = kIntroduction;
  page += Section(project, "project", 2) + Section(project, "connection", 3) + Section(project, "auth", 4) +
          config::MarkdownOf(*EnvironmentType().shape, 3) + kDefaultsAndEnvironments;
  page += Section(source, "source", 2) + kTables + Section(source, "read", 3) + Section(source, "request", 4) +
          Section(source, "pages", 4) + Section(source, "windows", 4) + Section(source, "deduplicate", 3) + Section(source, "freshness", 3);
  page +=
      Section(source, "contract", 2) + Section(source, "column", 3) + Section(source, "length", 3) + Section(source, "max_quarantined", 3);
  page += Section(model, "model", 2) + Section(model, "model_column", 3);
  page += Section(model, "check", 2) + Section(model, "row_count", 3);
  page += Section(model, "maintenance", 2) + Section(model, "vacuum", 3);
  while (page.ends_with("\n\n")) page.pop_back();
  return page;
}

}  // namespace sluice::project
