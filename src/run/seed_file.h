#pragma once
// How is a seed written, and is it whole?
#include "formats/csv.h"
#include "project/project.h"

namespace sluice::run {

// Every record has been looked at: it splits into as many fields as the header names, and is UTF-8. Types are not looked at.
// Errors: kUser "bad-seed" at the first line that is wrong; "unreadable-seed".
Result<formats::CsvDialect> CheckSeedFile(const project::Seed& seed);

}  // namespace sluice::run
