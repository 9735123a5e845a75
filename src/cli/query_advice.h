#pragma once
#include <string>

#include "core/error.h"

namespace sluice::cli {

// Why `sql` is no query, with the command that does what people of other tools write so: DELETE, VACUUM, VERSION AS OF, …
Error WithCommand(Error error, const std::string& sql);

}  // namespace sluice::cli
