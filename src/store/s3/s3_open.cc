#include "store/s3/s3_open.h"

#include <fmt/format.h>

#include "core/text.h"
#include "store/keys.h"

namespace sluice::store {
namespace {

std::string FirstSet(const net::ChainWorld& world, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const auto value = world.environment(name); value && !value->empty()) return *value;
  return "";
}

// The options with what the environment and the profile say where the project says nothing.
Result<StoreOptions> Completed(StoreOptions options, const net::ChainWorld& world) {
  const bool ignore = ToLower(world.environment("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").value_or("")) == "true";
  if (options.endpoint.empty() && !ignore) {
    options.endpoint = FirstSet(world, {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"});
    if (options.endpoint.empty()) {
      SLUICE_TRY(options.endpoint, net::ProfileSetting(options.identity, world, "endpoint_url"));
    }
  }
  if (!options.path_style) {
    SLUICE_TRY(const std::string style, net::ProfileSetting(options.identity, world, "s3.addressing_style"));
    if (style == "path" || style == "virtual") options.path_style = style == "path";
  }
  if (options.sse.empty() && options.kms_key_id.empty()) {
    options.sse = FirstSet(world, {"AWS_SERVER_SIDE_ENCRYPTION"});
    options.kms_key_id = FirstSet(world, {"AWS_SSE_KMS_KEY_ID"});
  }
  if (options.ca_file.empty()) options.ca_file = FirstSet(world, {"AWS_CA_BUNDLE"});
  SLUICE_TRY(options.identity.region, net::RegionOf(options.identity, world));
  return options;
}

}  // namespace

Result<S3Location> ParseS3Location(const std::string& location) {
  const size_t begin = location.find("://") + 3;
  const size_t slash = location.find('/', begin);
  S3Location out{location.substr(begin, slash == std::string::npos ? slash : slash - begin), ""};
  if (slash != std::string::npos) out.prefix = location.substr(slash + 1);
  while (out.prefix.ends_with('/')) out.prefix.pop_back();
  const bool named = !out.bucket.empty() && out.bucket.find_first_of("?#@: ") == std::string::npos;
  if (!named || (!out.prefix.empty() && !CheckKey(out.prefix)))
    return Fail(
        UserError("bad-location", fmt::format("\"{}\" does not name a place in a bucket", location)).Hint("write s3://bucket/prefix"));
  if (!out.prefix.empty()) out.prefix += '/';
  return out;
}

Result<S3Address> AddressOf(const std::string& bucket, const std::string& endpoint, std::optional<bool> path_style) {
  // A bucket with dots in its name fits no certificate of *.s3….
  S3Address address{.bucket = bucket, .path_style = path_style.value_or(!endpoint.empty() || bucket.find('.') != std::string::npos)};
  if (endpoint.empty()) return address;
  const size_t scheme_end = endpoint.find("://");
  address.scheme = scheme_end == std::string::npos ? "" : ToLower(endpoint.substr(0, scheme_end));
  if (address.scheme != "http" && address.scheme != "https")
    return Fail(
        UserError("bad-endpoint", fmt::format("the endpoint \"{}\" is no URL", endpoint)).Hint("write https://host, or http://host:port"));
  std::string rest = endpoint.substr(scheme_end + 3);
  while (rest.ends_with('/')) rest.pop_back();
  const size_t slash = rest.find('/');
  address.host = rest.substr(0, slash);
  if (slash != std::string::npos) address.base_path = rest.substr(slash);
  const std::string_view own_port = address.scheme == "https" ? ":443" : ":80";
  if (address.host.ends_with(own_port)) address.host.erase(address.host.size() - own_port.size());
  if (address.host.empty() || address.host.find_first_of("?#@ ") != std::string::npos)
    return Fail(UserError("bad-endpoint", fmt::format("the endpoint \"{}\" names no host", endpoint))
                    .Hint("write https://host, or http://host:port"));
  return address;
}

Result<net::Headers> EncryptionHeaders(const StoreOptions& options) {
  const std::string sse = options.sse.empty() && !options.kms_key_id.empty() ? "aws:kms" : options.sse;
  if (sse.empty()) return net::Headers{};
  if (sse != "AES256" && sse != "aws:kms")
    return Fail(UserError("bad-sse", fmt::format("there is no encryption \"{}\" in S3", sse))
                    .Hint("set AWS_SERVER_SIDE_ENCRYPTION to AES256 or aws:kms"));
  net::Headers headers = {{"x-amz-server-side-encryption", sse}};
  if (options.kms_key_id.empty()) return headers;
  if (sse != "aws:kms")
    return Fail(UserError("bad-sse", "a KMS key needs the encryption aws:kms")
                    .Hint("set AWS_SERVER_SIDE_ENCRYPTION=aws:kms, or no AWS_SSE_KMS_KEY_ID"));
  headers.emplace_back("x-amz-server-side-encryption-aws-kms-key-id", options.kms_key_id);
  return headers;
}

Result<std::unique_ptr<ObjectStore>> OpenS3Store(const std::string& location, const StoreOptions& given) {
  SLUICE_TRY(const S3Location place, ParseS3Location(location));
  // The environment is read before there is a client, whose certificates it may name.
  const auto probe = net::NewHttpClient({});
  SLUICE_TRY(const StoreOptions options, Completed(given, net::ProcessWorld(*probe)));
  SLUICE_TRY(net::Headers encryption, EncryptionHeaders(options));
  SLUICE_TRY(S3Address address, AddressOf(place.bucket, options.endpoint, options.path_style));
  S3Client::Parts parts;
  parts.http = net::NewHttpClient({.ca_file = options.ca_file});
  parts.credentials = net::NewCredentialChain(options.identity, net::ProcessWorld(*parts.http));
  const std::string region = options.identity.region;
  auto client = std::make_shared<S3Client>(std::move(address), region, std::move(parts));
  return NewS3Store(std::move(client), place.prefix, {std::move(encryption), options.ca_file});
}

}  // namespace sluice::store
