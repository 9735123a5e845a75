#include "sources/profile.h"
namespace sluice::sources {
Result<std::vector<contract::Field>> DetectFields(store::ObjectStore&, const std::vector<InputFile>&, FileFormat) { return std::vector<contract::Field>{}; }
}
