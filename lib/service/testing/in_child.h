// For what a process can do only once, such as giving up root, or only at its start.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <iostream>
#include <string>

#include "gtest/gtest.h"

namespace perigee::testing {

// For tests that change the user: they need root, and a child with one thread.
class AsRootTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "ThreadSanitizer has a thread of its own";
#endif
  }
};

// Runs `body` in a process of its own with one thread. It returns what is wrong, or nothing.
inline ::testing::AssertionResult InChild(const std::function<std::string()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    const std::string wrong = body();
    std::cerr << wrong << std::flush;
    _exit(wrong.empty() ? 0 : 1);
  }
  int status = 0;
  if (waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0)
    return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "the child ended with wait status " << status << "; see above";
}

}  // namespace perigee::testing
