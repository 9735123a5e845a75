#pragma once
// AWS Security Token Service: temporary credentials for a role.
#include <string>

#include "net/credentials.h"

namespace sluice::net {

struct RoleRequest {
  std::string role_arn, session_name, external_id;
  std::string duration_seconds;  // "" = the role's default
  std::string region;            // "" = the global endpoint
};

// Errors: kUser "role-refused" with STS's own words; retryable ones of the network.
Result<Credentials> AssumeRole(const ChainWorld& world, const RoleRequest& request, const Credentials& caller);
Result<Credentials> AssumeRoleWithWebIdentity(const ChainWorld& world, const RoleRequest& request, const std::string& token);

}  // namespace sluice::net
