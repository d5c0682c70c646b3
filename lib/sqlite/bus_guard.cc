#include "lib/sqlite/bus_guard.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace perigee::sqlite {
namespace {

thread_local volatile sig_atomic_t guards = 0;
std::atomic<uint64_t> failed{0};
uintptr_t page_bytes = 0;
struct sigaction unguarded {};

bool PutZeros(void* address) {
  char* const page = static_cast<char*>(address) - reinterpret_cast<uintptr_t>(address) % page_bytes;
  return mmap(page, page_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

// Afterwards the instruction that failed is tried again.
void OnBusError(int, siginfo_t* info, void*) {
  const int error = errno;
  if (guards > 0 && info->si_code == BUS_ADRERR && PutZeros(info->si_addr)) {
    ++failed;
  } else {
    sigaction(SIGBUS, &unguarded, nullptr);
  }
  errno = error;
}

bool Install() {
  page_bytes = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  struct sigaction guarded {};
  guarded.sa_sigaction = OnBusError;
  guarded.sa_flags = SA_SIGINFO;
  return sigaction(SIGBUS, &guarded, &unguarded) == 0;
}

}  // namespace

BusGuard::BusGuard() {
  [[maybe_unused]] static const bool installed = Install();
  guards = guards + 1;
}

BusGuard::~BusGuard() { guards = guards - 1; }

uint64_t BusGuard::failed_pages() { return failed; }

}  // namespace perigee::sqlite
