#include "services/dns/steering/client_key.h"

#include <algorithm>
#include <array>

namespace perigee::dns {

ClientKey KeyOf(const IpPrefix& network) {
  const IpAddress& base = network.address();
  const int length = std::min(network.length(), ClientPrefix(base).length());
  if (network.length() == base.bit_length()) return {base, IpPrefix(base, length)};
  std::array<uint8_t, 16> bytes{};
  std::copy(base.bytes().begin(), base.bytes().end(), bytes.begin());
  bytes[base.bytes().size() - 1] |= 1;
  const IpAddress first =
      base.is_v4() ? IpAddress::V4(std::span<const uint8_t, 4>(bytes.data(), 4)) : IpAddress::V6(bytes);
  return {first, IpPrefix(base, length)};
}

}  // namespace perigee::dns
