#include "services/dns/guard/siphash.h"

#include <gmock/gmock.h>

#include <numeric>

namespace perigee::dns {
namespace {

// From vectors.h of the reference implementation: the key is 00 01 … 0f, the input the first `size` octets of
// 00 01 02 ….
struct Vector {
  size_t size;
  uint64_t hash;
};

class SipHashVectors : public ::testing::TestWithParam<Vector> {};

TEST_P(SipHashVectors, AreMet) {
  SipHashKey key;
  std::iota(key.begin(), key.end(), uint8_t{0});
  std::array<uint8_t, 64> input;
  std::iota(input.begin(), input.end(), uint8_t{0});
  EXPECT_EQ(SipHash24(key, std::span(input).first(GetParam().size)), GetParam().hash);
}

INSTANTIATE_TEST_SUITE_P(Reference, SipHashVectors,
                         ::testing::Values(Vector{0, 0x726fdb47dd0e0e31}, Vector{1, 0x74f839c593dc67fd},
                                           Vector{7, 0xab0200f58b01d137}, Vector{8, 0x93f5f5799a932462},
                                           Vector{9, 0x9e0082df0ba9e4b0}, Vector{15, 0xa129ca6149be45e5},
                                           Vector{16, 0x3f2acc7f57c29bdb}, Vector{63, 0x958a324ceb064572}));

}  // namespace
}  // namespace perigee::dns
