#include "services/dns/guard/siphash.h"

#include <bit>
#include <cstddef>

namespace perigee::dns {
namespace {

constexpr size_t kWord = 8;

uint64_t LittleEndian(std::span<const uint8_t> octets) {
  uint64_t word = 0;
  for (size_t i = 0; i < octets.size(); ++i) word |= uint64_t{octets[i]} << (8 * i);
  return word;
}

struct State {
  uint64_t v0, v1, v2, v3;

  void Round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }

  void Compress(uint64_t word) {
    v3 ^= word;
    Round();
    Round();
    v0 ^= word;
  }

  uint64_t Finish() {
    v2 ^= 0xff;
    for (int i = 0; i < 4; ++i) Round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

}  // namespace

uint64_t SipHash24(const SipHashKey& key, std::span<const uint8_t> data) {
  const std::span<const uint8_t> octets(key);
  const uint64_t k0 = LittleEndian(octets.first<kWord>());
  const uint64_t k1 = LittleEndian(octets.last<kWord>());
  State state{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
              k1 ^ 0x7465646279746573};
  const uint64_t size = data.size();
  while (data.size() >= kWord) {
    state.Compress(LittleEndian(data.first<kWord>()));
    data = data.subspan(kWord);
  }
  state.Compress(LittleEndian(data) | size << 56);
  return state.Finish();
}

}  // namespace perigee::dns
