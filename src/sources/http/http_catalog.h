#pragma once
// What an API answers, looked at before a source of it is written.
#include <memory>

#include "sources/catalog.h"

namespace sluice::sources::http {

// Proposes for a path: "/v1/orders?status=open". There is no list of paths.
Result<std::unique_ptr<Catalog>> OpenHttpCatalog(const SourceSpec& spec);

}  // namespace sluice::sources::http
