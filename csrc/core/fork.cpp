#include "core/fork.h"

#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace dlnative {

bool call_in_children(void (*f)()) noexcept {
#if !defined(_WIN32)
  return pthread_atfork(nullptr, nullptr, f) == 0;
#else
  static_cast<void>(f);
  return true;
#endif
}

}  // namespace dlnative
