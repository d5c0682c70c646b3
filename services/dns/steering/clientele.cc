#include "services/dns/steering/clientele.h"

#include <algorithm>
#include <vector>

namespace perigee::dns {

void MedianOf(std::span<const Samples> clients, std::span<Sample> out) {
  std::vector<Sample> of_one;
  for (size_t i = 0; i < out.size(); ++i) {
    of_one.clear();
    for (const Samples& client : clients) {
      if (client[i].measured()) of_one.push_back(client[i]);
    }
    out[i] = {};
    if (2 * of_one.size() <= clients.size()) continue;
    const auto middle = of_one.begin() + std::ssize(of_one) / 2;
    std::nth_element(of_one.begin(), middle, of_one.end(),
                     [](const Sample& a, const Sample& b) { return a.rtt < b.rtt; });
    out[i] = *middle;
  }
}

}  // namespace perigee::dns
