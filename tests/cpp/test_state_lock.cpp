// Readers and writers of StateLock: what each sees, who waits for whom, and what an interrupted
// wait leaves behind. Run it in a build with ThreadSanitizer, too.
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "check.h"
#include "core/state_lock.h"

using dlnative::StateAccess;
using dlnative::StateLock;
using dlnative::Version;
using test::check;

namespace {

using Locks = std::vector<std::shared_ptr<StateLock>>;

Locks make_locks(int count) {
  Locks locks;
  for (int i = 0; i < count; ++i) locks.push_back(std::make_shared<StateLock>());
  return locks;
}

// Values that belong together, as the weights of a model do.
struct Shared {
  static constexpr int kSize = 64;
  long values[kSize] = {};
  Version version;
};

// A run of `steps` steps that adds one to all values in each.
void write(const Locks& locks, Shared& shared, int steps) {
  StateAccess access(locks, true);
  access.enter({});
  bool changed = false;  // since others have been told, as in Program
  const auto publish = [&] {
    if (changed) shared.version.changed();
    changed = false;
  };
  for (int step = 0; step < steps; ++step) {
    const bool locked = access.begin_step({}, publish);
    const long next = shared.values[0] + 1;
    if (locked) access.begin_commit({});
    for (long& value : shared.values) value = next;
    changed = true;
    if (locked) publish();
    access.end_step();
  }
  publish();
  access.leave();
}

// A run of `steps` steps; returns in how many of them the values were not those of one step.
int read(const Locks& locks, const Shared& shared, int steps) {
  StateAccess access(locks, false);
  int torn = 0;
  access.enter({});
  for (int step = 0; step < steps; ++step) {
    access.begin_step({}, [] {});
    const std::int64_t version = shared.version.value();
    const long first = shared.values[0];
    for (const long value : shared.values) torn += value != first;
    torn += version != shared.version.value();
    access.end_step();
  }
  access.leave();
  return torn;
}

void readers_see_whole_steps(int lock_count, int writers) {
  const Locks locks = make_locks(lock_count);
  Shared shared;
  std::atomic<int> torn{0}, writing{writers};
  std::vector<std::thread> threads;
  for (int w = 0; w < writers; ++w) {
    threads.emplace_back([&] {
      for (int run = 0; run < 20; ++run) write(locks, shared, 1 + run % 30);
      --writing;
    });
  }
  for (int r = 0; r < 8; ++r) {
    threads.emplace_back([&, r] {
      // Some use a part of what the writers write.
      const Locks mine(locks.begin() + r % lock_count, locks.end());
      do torn += read(mine, shared, 1 + r);
      while (writing > 0);
    });
  }
  for (std::thread& thread : threads) thread.join();
  long expected = 0;
  for (int run = 0; run < 20; ++run) expected += 1 + run % 30;
  check(torn == 0, "torn == 0");
  check(shared.values[0] == writers * expected, "shared.values[0] == writers * expected");
}

// Two models, each of which reads what the other writes: nobody waits for ever.
void writers_of_each_others_values() {
  const Locks locks = make_locks(3);
  Shared shared;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      const Locks mine = t == 2 ? Locks(locks.begin() + 1, locks.end()) : locks;
      const Locks common{locks[1]};
      for (int run = 0; run < 200; ++run) {
        write(mine, shared, 3);
        check(read(common, shared, 2) == 0, "read(common, shared, 2) == 0");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  check(shared.values[0] == 3 * 200 * 3, "shared.values[0] == 3 * 200 * 3");
}

struct Interrupt : std::exception {};

// Ctrl-C while a thread waits: nothing stays locked, whatever it waited for.
void interrupted_waits() {
  const Locks locks = make_locks(2);
  Shared shared;
  const auto raise = [] { throw Interrupt(); };
  for (const bool writes : {false, true}) {
    for (int round = 0; round < 2; ++round) {  // alone, then shared
      std::atomic<bool> held{false}, may_end{false};
      std::thread holder([&] {
        StateAccess access(locks, true);
        access.enter({});
        access.begin_step({}, [] {});
        access.begin_commit({});
        held = true;
        while (!may_end) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        access.leave();
      });
      while (!held) std::this_thread::yield();
      StateAccess access(locks, writes);
      bool raised = false;
      try {
        access.enter(raise);
        access.begin_step(raise, [] {});
      } catch (const Interrupt&) {
        raised = true;
      }
      access.leave();
      check(raised, "raised");
      may_end = true;
      holder.join();
      write(locks, shared, 2);
      check(read(locks, shared, 2) == 0, "read(locks, shared, 2) == 0");
    }
  }
}

// A writer that gives up its commit lets the readers in that wait behind it.
void interrupted_commit() {
  const Locks locks = make_locks(1);
  Shared shared;
  std::thread([&] { write(locks, shared, 1); }).join();
  StateAccess reader(locks, false);
  std::atomic<int> phase{0};
  std::thread first([&] {
    reader.enter({});
    phase = 1;
    while (phase < 2) std::this_thread::yield();  // the writer has come
    while (!reader.begin_step({}, [] {})) std::this_thread::yield();
    phase = 3;
    while (phase < 4) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    reader.end_step();
    reader.leave();
  });
  std::thread second([&] {
    while (phase < 1) std::this_thread::yield();
    StateAccess writer(locks, true);
    phase = 2;
    writer.enter({});
    check(writer.begin_step({}, [] {}), "writer.begin_step({}, [] {})");
    while (phase < 3) std::this_thread::yield();
    bool raised = false;
    try {
      writer.begin_commit([] { throw Interrupt(); });
    } catch (const Interrupt&) {
      raised = true;
    }
    check(raised, "raised");
    writer.leave();
    check(read(locks, shared, 1) == 0, "read(locks, shared, 1) == 0");
    phase = 4;
  });
  first.join();
  second.join();
  write(locks, shared, 1);
  check(shared.values[0] == 2, "shared.values[0] == 2");
}

void runs_within_runs() {
  const Locks locks = make_locks(2);
  Shared shared;
  StateAccess outer(locks, false);
  outer.enter({});
  outer.begin_step({}, [] {});
  check(read(locks, shared, 3) == 0, "read(locks, shared, 3) == 0");
  StateAccess writer(locks, true);
  bool raised = false;
  try {
    writer.enter({});
  } catch (const std::runtime_error&) {
    raised = true;
  }
  check(raised, "raised");
  writer.enter({}, true);
  writer.leave();
  outer.end_step();
  outer.leave();
  write(locks, shared, 1);
  check(shared.values[0] == 1, "shared.values[0] == 1");
}

}  // namespace

int main() {
  readers_see_whole_steps(1, 1);
  readers_see_whole_steps(1, 3);
  readers_see_whole_steps(3, 2);
  writers_of_each_others_values();
  interrupted_waits();
  interrupted_commit();
  runs_within_runs();
  return test::finish("test_state_lock");
}
