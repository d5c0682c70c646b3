// A state file in a folder of its own, gone with the test.
#pragma once

#include <filesystem>
#include <string>

#include "gtest/gtest.h"
#include "services/dns/state/state_file.h"

namespace perigee::dns {

class StateFileTest : public testing::Test {
 protected:
  StateFileTest() {
    std::string folder = testing::TempDir() + "perigee_state_XXXXXX";
    if (mkdtemp(folder.data()) == nullptr) ADD_FAILURE() << "no folder";
    folder_ = folder;
    path_ = folder_ + "/state.sqlite";
  }
  ~StateFileTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<StateFile> Open() {
    auto file = StateFile::Open(path_);
    EXPECT_TRUE(file.ok()) << file.status();
    return file.ok() ? *std::move(file) : nullptr;
  }

  std::string folder_, path_;
};

}  // namespace perigee::dns
