// The smallest test helper: a test program calls the checks below and returns finish().
#pragma once

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace test {

inline std::atomic<int> failures{0};

// Reports the line and the text if `ok` is false; the program goes on. From any thread.
inline void check(bool ok, const std::string& what, int line = __builtin_LINE()) {
  if (ok) return;
  failures.fetch_add(1);
  std::fprintf(stderr, "line %d: failed: %s\n", line, what.c_str());
}

template <class A, class B>
void check_equal(const A& got, const B& expected, const std::string& what,
                 int line = __builtin_LINE()) {
  if (got == expected) return;
  check(false, what + ": got " + std::to_string(got) + ", expected " + std::to_string(expected),
        line);
}

inline void check_text(const std::string& got, const std::string& expected,
                       int line = __builtin_LINE()) {
  check(got == expected, "got \"" + got + "\", expected \"" + expected + "\"", line);
}

// f() must throw Error, with exactly this message.
template <class Error, class F>
void check_throws(F&& f, const std::string& message, int line = __builtin_LINE()) {
  try {
    f();
    check(false, "nothing thrown, expected: " + message, line);
  } catch (const Error& error) {
    check_text(error.what(), message, line);
  }
}

// The exit code of main.
inline int finish(const char* program) {
  const int failed = failures.load();
  std::printf("%s: %s\n", program, failed == 0 ? "ok" : "FAILED");
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace test
