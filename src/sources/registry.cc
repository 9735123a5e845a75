#include <fmt/format.h>

#include <array>

#include "core/text.h"
#include "sources/files/files_source.h"
#include "sources/source.h"

namespace sluice::sources {
namespace {

struct Connector {
  const char* type;
  Result<std::unique_ptr<Source>> (*open)(const SourceSpec&);
};

// Every connector has its line here.
constexpr std::array kConnectors = {
    Connector{"files", OpenFilesSource},
};

}  // namespace

std::vector<std::string> ConnectionTypes() {
  std::vector<std::string> types;
  for (const Connector& connector : kConnectors) types.emplace_back(connector.type);
  return types;
}

Result<std::unique_ptr<Source>> OpenSource(const SourceSpec& spec) {
  for (const Connector& connector : kConnectors)
    if (spec.connection_type == connector.type) return connector.open(spec);
  const std::vector<std::string> types = ConnectionTypes();
  return Fail(UserError("unknown-connection-type",
                        fmt::format("there is no connector \"{}\"{}", spec.connection_type, DidYouMean(spec.connection_type, types)))
                  .Hint("connection types: " + Join(types, ", ")));
}

}  // namespace sluice::sources
