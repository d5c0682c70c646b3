#include "services/replica/fetch/unkeyed_fields.h"

#include <string>

namespace perigee::replica {
namespace {

constexpr std::string_view kClaims[] = {"Forwarded",
                                        "Front-End-Https",
                                        "True-Client-IP",
                                        "X-Client-IP",
                                        "X-Cluster-Client-IP",
                                        "X-Forwarded",
                                        "X-Forwarded-By",
                                        "X-Forwarded-Host",
                                        "X-Forwarded-Path",
                                        "X-Forwarded-Port",
                                        "X-Forwarded-Prefix",
                                        "X-Forwarded-Proto",
                                        "X-Forwarded-Protocol",
                                        "X-Forwarded-Scheme",
                                        "X-Forwarded-Server",
                                        "X-Forwarded-Ssl",
                                        "X-Forwarded-Uri",
                                        "X-Host",
                                        "X-HTTP-Host-Override",
                                        "X-Original-Host",
                                        "X-Original-URI",
                                        "X-Original-URL",
                                        "X-Proxy-URL",
                                        "X-Real-IP",
                                        "X-Rewrite-URL",
                                        "X-Script-Name",
                                        "X-Url-Scheme"};
constexpr std::string_view kMethods[] = {"X-HTTP-Method", "X-HTTP-Method-Override", "X-Method-Override"};

}  // namespace

void RemoveUnkeyedFields(std::string_view method, const IpAddress& client, http::HeaderList* fields) {
  for (const std::string_view name : kClaims) fields->Remove(name);
  if (method == "GET" || method == "HEAD") {
    for (const std::string_view name : kMethods) fields->Remove(name);
  }
  std::string forwarded = client.is_loopback() ? fields->Combined("X-Forwarded-For") : "";
  if (!forwarded.empty()) forwarded += ", ";
  fields->Set("X-Forwarded-For", forwarded + client.ToString());
}

}  // namespace perigee::replica
