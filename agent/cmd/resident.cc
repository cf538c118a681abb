#include "agent/cmd/resident.h"

#include <cstdint>
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

namespace ica::cmd {
namespace {

// Segments that are never written are the same in memory as in their file, so nothing is lost by
// unmapping their pages. Those that the loader relocates lie in writable segments, even when it
// protects them afterwards.
int release_object(dl_phdr_info* object, size_t, void* total) {
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
    if (end > begin && madvise(first, end - begin, MADV_DONTNEED) == 0) {
      *static_cast<size_t*>(total) += end - begin;
    }
  }
  return 0;
}

}  // namespace

size_t release_start_pages() {
  malloc_trim(0);
  size_t total = 0;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  dl_iterate_phdr(release_object, &total);
#endif
  return total;
}

}  // namespace ica::cmd
