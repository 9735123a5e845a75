#pragma once
// The files config and credentials of AWS's tools: INI with sections for profiles, and settings below a setting ("s3 =" with
// indented lines under it), which are named with a dot here: "s3.addressing_style".
#include <map>
#include <string>
#include <string_view>

namespace sluice::net {

using Profile = std::map<std::string, std::string>;
using Profiles = std::map<std::string, Profile>;

enum class ProfileFile { kConfig, kCredentials };
// Sections that are no profiles ("[sso-session x]"), and lines that are nothing, are left out. Of a setting given twice the last holds.
Profiles ParseProfiles(std::string_view text, ProfileFile kind);
// Both files together: in one profile the credentials file's settings win.
Profiles MergeProfiles(Profiles config, const Profiles& credentials);

}  // namespace sluice::net
