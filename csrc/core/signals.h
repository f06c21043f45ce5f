// Signals and the threads that the library starts.
#pragma once

#if !defined(_WIN32)
#include <pthread.h>
#include <signal.h>
#endif

namespace dlnative {

// Blocks signals on the current thread for the lifetime of the guard; a thread started meanwhile
// keeps them blocked.
//
// Signals are for the application's threads: a handler that expects to interrupt them (Ctrl-C in
// Python) would interrupt a worker instead. Faults and profiling still reach workers.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
#if !defined(_WIN32)
    sigset_t set;
    sigfillset(&set);
    for (int kept : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF}) {
      sigdelset(&set, kept);
    }
    pthread_sigmask(SIG_BLOCK, &set, &previous_);
#endif
  }
  ~SignalsBlocked() {
#if !defined(_WIN32)
    pthread_sigmask(SIG_SETMASK, &previous_, nullptr);
#endif
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
#if !defined(_WIN32)
  sigset_t previous_;
#endif
};

}  // namespace dlnative
