#include "net/profile_file.h"

#include "core/text.h"

namespace sluice::net {
namespace {

// "[profile etl]" → "etl"; in the credentials file "[etl]" → "etl"; "" is no profile.
std::string ProfileOf(std::string_view section, ProfileFile kind) {
  const std::string_view name = Trim(section.substr(1, section.find(']') - 1));
  if (kind == ProfileFile::kCredentials) return std::string(name);
  if (name == "default") return "default";
  return name.starts_with("profile ") || name.starts_with("profile\t") ? std::string(Trim(name.substr(8))) : "";
}

// A comment begins with # or ; at the start of a line, or after a space.
std::string_view WithoutComment(std::string_view line) {
  for (size_t i = 0; i < line.size(); ++i)
    if ((line[i] == '#' || line[i] == ';') && (i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t')) return line.substr(0, i);
  return line;
}

}  // namespace

Profiles ParseProfiles(std::string_view text, ProfileFile kind) {
  Profiles profiles;
  Profile* profile = nullptr;
  std::string above;  // the setting that indented lines belong to
  for (const std::string& raw : Split(text, '\n')) {
    const bool indented = raw.starts_with(' ') || raw.starts_with('\t');
    const std::string_view line = Trim(WithoutComment(raw));
    if (line.empty()) continue;
    if (line.starts_with('[') && line.find(']') != std::string_view::npos) {
      const std::string name = ProfileOf(line, kind);
      profile = name.empty() ? nullptr : &profiles[name];
      above.clear();
      continue;
    }
    const size_t equals = line.find('=');
    if (profile == nullptr || equals == std::string_view::npos) continue;
    const std::string key = ToLower(Trim(line.substr(0, equals)));
    const std::string value(Trim(line.substr(equals + 1)));
    if (indented && !above.empty()) {
      (*profile)[above + "." + key] = value;
      continue;
    }
    above = value.empty() ? key : "";
    (*profile)[key] = value;
  }
  return profiles;
}

Profiles MergeProfiles(Profiles config, const Profiles& credentials) {
  for (const auto& [name, settings] : credentials)
    for (const auto& [key, value] : settings) config[name][key] = value;
  return config;
}

}  // namespace sluice::net
