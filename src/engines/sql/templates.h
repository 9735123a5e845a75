#pragma once
// Template languages, which SQL is not.
#include "engines/sql/source_text.h"

namespace sluice::engines {

// "template-in-sql": ${var:x} and its kin, which YAML has and SQL has not; inside a string they would be taken for its text. And what
// dbt's templates have, {{ ref('x') }} or {% if … %}: each with what is written here instead.
void CheckTemplates(const SourceText& source, Diagnostics* diagnostics);

}  // namespace sluice::engines
