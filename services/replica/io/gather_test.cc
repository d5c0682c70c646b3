#include "services/replica/io/gather.h"

#include <gtest/gtest.h>

#include <string>

namespace perigee::replica {
namespace {

std::string Single(const Gather& bytes) {
  const auto* piece = bytes.single();
  return piece ? std::string(static_cast<const char*>(piece->data()), piece->size()) : "none";
}

TEST(Gather, KnowsWhenOnePieceIsLeft) {
  EXPECT_EQ(Single(Gather("")), "none");
  EXPECT_EQ(Single(Gather("head")), "head");
  EXPECT_EQ(Single(Gather("", "body")), "body");
  EXPECT_EQ(Single(Gather("", "", "end")), "end");
  EXPECT_EQ(Single(Gather("head", "body")), "none");
  EXPECT_EQ(Single(Gather("head", "", "end")), "none");
}

TEST(Gather, AdvancesOverItsPieces) {
  Gather bytes("head", "body");
  bytes.Advance(6);
  EXPECT_EQ(Single(bytes), "dy");
  EXPECT_FALSE(bytes.empty());
  bytes.Advance(2);
  EXPECT_TRUE(bytes.empty());
}

}  // namespace
}  // namespace perigee::replica
