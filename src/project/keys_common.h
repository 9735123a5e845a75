#pragma once
// Types and keys that several kinds of files share.
#include <string>

#include "project/spec.h"

namespace sluice::project {

config::Type<Placed<contract::DataType>> DataTypeText();
config::Type<PlacedText> Name(const std::string& type);
config::Type<Placed<int64_t>> Size();                    // bytes, at least a MiB: "128MiB"
config::Type<Texts> Names(const std::string& type);      // a list, or one without brackets
config::Type<Texts> SomeNames(const std::string& type);  // at least one
config::Type<LengthSpec> Bounds(const std::string& name, const std::string& title, const std::string& doc);
config::Type<FreshnessSpec> FreshnessType();
config::Type<MaintenanceSpec> MaintenanceType();
config::Type<config::Node> AnyKeys(const std::string& type);

// Of HTTP APIs.
config::Type<RequestSpec> RequestType();
config::Type<WindowsSpec> WindowsType();
void AddHttpKeys(config::Object<ConnectionSpec>& object);

// The node's own keys: description, owner, schedule, tags, meta.
template <typename T>
void AddProperties(config::Object<T>& object);
extern template void AddProperties<SourceSpec>(config::Object<SourceSpec>&);
extern template void AddProperties<ModelSpec>(config::Object<ModelSpec>&);

}  // namespace sluice::project
