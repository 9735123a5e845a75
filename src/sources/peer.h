#pragma once
#include <variant>

#include "sources/http/settings.h"
#include "sources/postgres/settings.h"

namespace sluice::sources {

// How the peer of a connection is reached, where that is more than a location.
using Peer = std::variant<std::monostate, postgres::Settings, http::Settings>;

}  // namespace sluice::sources
