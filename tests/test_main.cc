#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#ifdef __SANITIZE_THREAD__
// RocksDB comes as it is packaged, so its locks and barriers are not seen.
extern "C" const char* __tsan_default_suppressions() {
  return "called_from_lib:librocksdb.so\nrace:librocksdb.so\n";
}
// Tests that kill a process fork one, from a process with RocksDB's threads.
extern "C" const char* __tsan_default_options() {
  return "die_after_fork=0";
}
#endif
