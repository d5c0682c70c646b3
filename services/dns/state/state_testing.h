// A state file in a folder of its own, gone with the test.
#pragma once

#include <string>

#include "gtest/gtest.h"
#include "lib/base/testing/files.h"
#include "services/dns/state/state_file.h"

namespace perigee::dns {

class StateFileTest : public testing::Test {
 protected:
  std::unique_ptr<StateFile> Open() {
    auto file = StateFile::Open(path_);
    EXPECT_TRUE(file.ok()) << file.status();
    return file.ok() ? *std::move(file) : nullptr;
  }

  const TemporaryFolder folder_;
  const std::string path_ = folder_ / "state.sqlite";
};

}  // namespace perigee::dns
