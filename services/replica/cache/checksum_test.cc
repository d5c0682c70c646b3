#include "services/replica/cache/checksum.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <algorithm>
#include <string>

namespace perigee::replica {
namespace {

std::string Bytes(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 + i / 256);
  return bytes;
}

TEST(Checksum, IsXxh3WhateverTheProcessorHas) {
  for (const size_t size : {0, 1, 16, 240, 241, 1'000, 16'384, 262'144}) {
    const std::string bytes = Bytes(size);
    XXH64_canonical_t expected;
    XXH64_canonicalFromHash(&expected, XXH3_64bits_withSeed(bytes.data(), size, 7));
    const Checksum seen = ChecksumOf(7, bytes);
    EXPECT_TRUE(std::equal(seen.begin(), seen.end(), reinterpret_cast<char*>(expected.digest))) << size;
  }
}

TEST(Checksum, KnowsItsRow) { EXPECT_NE(ChecksumOf(1, "abc"), ChecksumOf(2, "abc")); }

}  // namespace
}  // namespace perigee::replica
