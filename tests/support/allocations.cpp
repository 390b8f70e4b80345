// Takes the place of the allocation functions in every test program that counts.
#include "support/allocations.h"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {
constinit std::atomic<std::int64_t> count{0};
void note() { count.fetch_add(1, std::memory_order_relaxed); }
}  // namespace

std::int64_t pellucid::allocations() { return count.load(); }

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

void* operator new(std::size_t size) {
  note();
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  note();
  return std::malloc(size);
}
void* operator new(std::size_t size, std::align_val_t align) {
  note();
  const auto step = static_cast<std::size_t>(align);
  if (void* p = std::aligned_alloc(step, (size + step - 1) / step * step)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

#else

extern "C" {

// The C library's own functions under the names that it keeps for replacements like these.
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t size) noexcept {
  note();
  return __libc_malloc(size);
}
void* calloc(std::size_t items, std::size_t size) noexcept {
  note();
  return __libc_calloc(items, size);
}
void* realloc(void* p, std::size_t size) noexcept {
  note();
  return __libc_realloc(p, size);
}
void* aligned_alloc(std::size_t align, std::size_t size) noexcept {
  note();
  return __libc_memalign(align, size);
}
int posix_memalign(void** p, std::size_t align, std::size_t size) noexcept {
  note();
  *p = __libc_memalign(align, size);
  return *p == nullptr ? ENOMEM : 0;
}

}  // extern "C"

#endif
