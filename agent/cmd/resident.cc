#include "agent/cmd/resident.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

namespace ica::cmd {
namespace {

// Segments that are never written are the same in memory as in their file, so nothing is lost by
// unmapping their pages. Those that the loader relocates lie in writable segments, even when it
// protects them afterwards.
int release_object(dl_phdr_info* object, size_t /*size*/, void* /*context*/) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const char* name = object->dlpi_name;
  if (name != nullptr && name[0] != '\0' && name[0] != '/') {
    return 0;  // the kernel's own, without a file behind it
  }
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) {
      continue;
    }
    const uintptr_t begin = (object->dlpi_addr + segment.p_vaddr + page - 1) & ~(page - 1);
    const uintptr_t end = (object->dlpi_addr + segment.p_vaddr + segment.p_memsz) & ~(page - 1);
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the linker tells addresses as numbers
    auto* const first = reinterpret_cast<void*>(begin);
    if (end > begin) {
      (void)madvise(first, end - begin, MADV_DONTNEED);
    }
  }
  return 0;
}

// Less is not worth the walk over the heap; it is what the next burst needs again.
constexpr size_t kWorthReleasing = 2 << 20;

}  // namespace

size_t freed_resident_bytes() {
  size_t size = 0;
  size_t resident = 0;
  size_t shared = 0;  // with a file behind it
  std::ifstream("/proc/self/statm") >> size >> resident >> shared;
  const size_t own = (resident - shared) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const auto heap = mallinfo2();
  const size_t used = heap.uordblks + heap.hblkhd;
  return own > used ? own - used : 0;
}

void release_pages() {
  malloc_trim(0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  dl_iterate_phdr(release_object, nullptr);
#endif
}

bool PageKeeper::release_after_burst() {
  const size_t freed = freed_resident_bytes();
  if (left_ && freed < *left_ + kWorthReleasing) {
    left_ = std::min(*left_, freed);
    return false;
  }
  release_pages();
  left_ = freed_resident_bytes();
  return true;
}

}  // namespace ica::cmd
