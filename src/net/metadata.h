#pragma once
// Credentials that a container or a virtual machine of AWS gives to what runs on it.
#include "net/credentials.h"

namespace sluice::net {

// ECS and EKS pod identity, by AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI. nullopt: neither is set.
Result<std::optional<Credentials>> ContainerCredentials(const ChainWorld& world);
// The instance metadata service, version 2. nullopt: switched off, not there, or the instance has no role.
Result<std::optional<Credentials>> InstanceCredentials(const ChainWorld& world);

// {"AccessKeyId": …, "SecretAccessKey": …, "Token" or "SessionToken": …, "Expiration": …}
Result<Credentials> CredentialsFromJson(const std::string& text, std::string source);

}  // namespace sluice::net
