// The thread pool behind parallel.h.
//
// Every worker thread has a lane: a cache line on which the caller posts a ticket and the worker
// answers. A region is
//   1. post:  the caller writes the region and a ticket into the lane of each worker it wants
//   2. work:  each thread claims the tasks of its own contiguous range, then those left in others'
//   3. join:  the caller takes back tickets that no worker has accepted and waits for the rest
// A worker that is late, because it sleeps or its core is busy with another process, therefore does
// not hold up the region: the caller does its tasks, takes the ticket back and moves on.
//
// Workers wait for a ticket with a short spin, then park.
//
// Times, with those of libgomp: docs/performance.md, "The thread pool". Contiguous ranges and one
// shared counter of tasks took the same time on two cores; with ranges threads contend only at the
// end, and find their own data in their cache in the next region.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <new>
#include <thread>
#include <utility>

#include "core/fork.h"
#include "core/fp_mode.h"
#include "core/interrupt.h"
#include "core/parallel.h"
#include "core/parker.h"
#include "core/placement.h"
#include "core/signals.h"
#include "core/spin.h"

#if !defined(_WIN32)
#include <pthread.h>
#include <sched.h>
#endif

namespace dlnative {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kIdleSpin = std::chrono::microseconds(50);  // a worker, before it parks
constexpr auto kJoinSpin = std::chrono::microseconds(20);  // the caller, before it yields its core
constexpr auto kCrowdedSpin = std::chrono::microseconds(1);  // both, with more threads than CPUs
constexpr auto kExitPatience = std::chrono::seconds(1);

void run_serially(std::int64_t tasks, TaskFunction f, void* context) noexcept {
  for (std::int64_t task = 0; task < tasks; ++task) {
    if (task > 0 && interrupted()) return;
    f(context, task, 0);
  }
}

// What a worker has to know. Thread t owns `quotient` tasks, and one more if t < remainder.
struct Region {
  TaskFunction f;
  void* context;
  std::int64_t quotient;
  std::uint64_t fp_mode;
  Interruptible* scope;  // the caller's, or null
  std::uint32_t number;  // counts regions, in kNumberBits bits
  std::int16_t remainder;
  std::int16_t threads;

  std::int64_t begin(int thread) const noexcept {
    return thread * quotient + std::min<int>(thread, remainder);
  }
};

// A lane's `claimed` holds the number of the region it speaks of and the next task to claim. One
// that speaks of an earlier region means "nothing claimed yet", so nobody has to reset it.
constexpr int kTaskBits = 40;
constexpr int kNumberBits = 24;
constexpr std::int64_t kMaxTasks = (std::int64_t{1} << kTaskBits) - 1;

enum : std::uint32_t {
  kIdle,     // nothing to do; the caller may write
  kPosted,   // a ticket; the worker may accept it (-> kRunning), the caller take it back (-> kIdle)
  kRunning,  // the worker works, and ends with kIdle
  kStop,     // the worker ends
};

// What `parking` says of the worker.
enum : std::uint32_t {
  kAwake,
  kParked,  // parked, or about to
  kWoken,   // has been woken, but has not noticed yet
};

static_assert(sizeof(Region) <= 48, "state, claimed and region share one cache line");

// Two cache lines. The first is the one that travels: it holds all that a hot region touches.
struct alignas(128) Lane {
  std::atomic<std::uint32_t> state{kIdle};
  std::atomic<std::uint64_t> claimed{0};
  Region region{};  // written by the caller in kIdle, read by the worker in kRunning
  alignas(64) std::atomic<std::uint32_t> parking{kAwake};
  Parker parker;
  std::thread thread;
};

// Constant-initialised and trivially destructible: usable before main and after exit handlers.
class Pool {
 public:
  void run(std::int64_t tasks, int threads, TaskFunction f, void* context) noexcept;
  void shut_down() noexcept;
  void reset_in_child() noexcept;

  // One region at a time. Whoever finds the pool entered, a nested call too, works alone.
  bool enter() noexcept {
    return !entered_.load(std::memory_order_relaxed) && !closing_.load(std::memory_order_relaxed) &&
           !entered_.exchange(true, std::memory_order_acquire);
  }
  void leave() noexcept { entered_.store(false, std::memory_order_release); }

 private:
  int prepare(int threads) noexcept;
  void resize(int setting) noexcept;
  void start_worker(int thread);
  void stop_workers(int first) noexcept;
  std::uint32_t next_number() noexcept;
  void post(const Region& region) noexcept;
  void place(int threads) noexcept;
  static void wake(Lane& lane) noexcept;
  void wake_children(int thread, int threads) noexcept;
  std::int64_t claim(const Region& region, int owner) noexcept;
  void work(const Region& region, int thread) noexcept;
  void join(const Region& region) noexcept;
  void worker_main(int thread) noexcept;
  void wait_for_ticket(Lane& lane) noexcept;

  // Written in every region, by the thread that has entered.
  alignas(128) std::atomic<bool> entered_{false};
  std::uint32_t number_ = 0;
  CallersCore callers_core_;
  int placed_ = 1;  // lanes 1 ... placed_ - 1 have been kept off that core
  // Seldom written, and read by the workers: kept on other cache lines.
  alignas(128) std::atomic<bool> closing_{false};
  std::atomic<bool> crowded_{false};  // more threads than CPUs
  int setting_ = 0;                   // num_threads() at the last region
  int running_ = 0;                   // lanes 1 ... running_ have a thread
  bool fork_handled_ = false;
  Lane* lanes_[kMaxThreads] = {};  // lane 0 is the caller's; kept until exit
};

Pool pool;

struct AtExit {
  ~AtExit() { pool.shut_down(); }
} at_exit;

// ---- regions -----------------------------------------------------------------------------------

void Pool::run(std::int64_t tasks, int threads, TaskFunction f, void* context) noexcept {
  threads = prepare(threads);
  if (threads == 1) {
    run_serially(tasks, f, context);
    return;
  }
  Region region;
  region.f = f;
  region.context = context;
  region.quotient = tasks / threads;
  region.remainder = static_cast<std::int16_t>(tasks % threads);
  region.threads = static_cast<std::int16_t>(threads);
  region.scope = Interruptible::current();
  region.number = next_number();
  region.fp_mode = fp_mode();
  post(region);
  work(region, 0);
  join(region);
}

std::uint32_t Pool::next_number() noexcept {
  number_ = (number_ + 1) & ((std::uint32_t{1} << kNumberBits) - 1);
  if (number_ == 0) {  // every 2^24 regions: forget the old ones, so that a number stays unique
    for (int i = 0; i < kMaxThreads && lanes_[i] != nullptr; ++i) {
      lanes_[i]->claimed.store(0, std::memory_order_relaxed);
    }
    number_ = 1;
  }
  return number_;
}

// Keeps workers off the caller's core, wherever the caller has moved since.
void Pool::place(int threads) noexcept {
  if (callers_core_.has_changed()) placed_ = 1;
  for (; placed_ < threads; ++placed_) callers_core_.keep_off(lanes_[placed_]->thread);
}

// Highest lane first: a worker that has its ticket may count on its children having theirs.
void Pool::post(const Region& region) noexcept {
  place(region.threads);
  for (int thread = region.threads - 1; thread >= 1; --thread) {
    lanes_[thread]->region = region;
    lanes_[thread]->state.store(kPosted, std::memory_order_release);
  }
  wake_children(0, region.threads);
}

// Wakes the worker if it is parked. To be called after a change of its state, by one thread.
//
// No wake-up is lost: the fetch_add and the worker's exchange (wait_for_ticket) are both
// read-modify-writes of `parking`, so one of them is first. If the exchange, its value is seen
// here; if the fetch_add, the worker synchronises with it and then sees the new state.
void Pool::wake(Lane& lane) noexcept {
  std::uint32_t parked = lane.parking.fetch_add(0, std::memory_order_acq_rel);
  if (parked == kParked && lane.parking.compare_exchange_strong(parked, kWoken)) {
    lane.parker.unpark(lane.parking);
  }
}

// Waking a thread costs its waker microseconds, so each thread wakes four others.
void Pool::wake_children(int thread, int threads) noexcept {
  constexpr int kChildren = 4;
  const int last = std::min(kChildren * thread + kChildren, threads - 1);
  for (int child = kChildren * thread + 1; child <= last; ++child) {
    wake(*lanes_[child]);
  }
}

// The next unclaimed task in the range of thread `owner`, or -1.
std::int64_t Pool::claim(const Region& region, int owner) noexcept {
  const std::int64_t end = region.begin(owner + 1);
  std::atomic<std::uint64_t>& claimed = lanes_[owner]->claimed;
  std::uint64_t seen = claimed.load(std::memory_order_relaxed);
  for (;;) {
    const bool current = seen >> kTaskBits == region.number;
    const std::int64_t task =
        current ? static_cast<std::int64_t>(seen) & kMaxTasks : region.begin(owner);
    if (task >= end) return -1;
    const std::uint64_t next =
        std::uint64_t{region.number} << kTaskBits | static_cast<std::uint64_t>(task + 1);
    if (claimed.compare_exchange_weak(seen, next, std::memory_order_relaxed)) return task;
  }
}

void Pool::work(const Region& region, int thread) noexcept {
  // With one task per thread only the caller looks after the others' tasks: for a worker the look
  // costs a cache miss and finds something only if a third thread is late.
  const bool helps = thread == 0 || region.quotient > 1 || region.remainder > 0;
  const int owners = helps ? region.threads : 1;
  for (int i = 0; i < owners; ++i) {
    const int owner = thread + i < region.threads ? thread + i : thread + i - region.threads;
    for (std::int64_t task; (task = claim(region, owner)) >= 0;) {
      region.f(region.context, task, thread);
      if (region.scope != nullptr && region.scope->stopped()) return;
    }
  }
}

void Pool::join(const Region& region) noexcept {
  for (int thread = 1; thread < region.threads; ++thread) {
    std::atomic<std::uint32_t>& state = lanes_[thread]->state;
    std::uint32_t seen = state.load(std::memory_order_relaxed);  // a failed exchange costs a miss
    if (seen == kPosted) state.compare_exchange_strong(seen, kIdle, std::memory_order_relaxed);
  }
  const Clock::duration patience =
      crowded_.load(std::memory_order_relaxed) ? kCrowdedSpin : kJoinSpin;
  for (int thread = 1; thread < region.threads; ++thread) {
    const std::atomic<std::uint32_t>& state = lanes_[thread]->state;
    const auto done = [&state] { return state.load(std::memory_order_acquire) == kIdle; };
    if (done() || spin_until(done, patience)) continue;
    while (!done()) {
      if (region.scope != nullptr) region.scope->stopped();  // the worker sees it, and is done soon
      std::this_thread::yield();
    }
  }
}

// ---- workers -----------------------------------------------------------------------------------

// Tells the system what kind of thread this is; nothing depends on its consent.
void describe_worker(int thread) noexcept {
#if defined(__linux__)
  char name[16];
  std::snprintf(name, sizeof name, "dlnative-%d", thread);  // for top, perf and debuggers
  pthread_setname_np(pthread_self(), name);
  // A batch thread does not preempt the one that runs on its core when it is woken, which on a busy
  // machine is likely to be its caller (docs/performance.md, "The thread pool").
  int policy = SCHED_OTHER;
  sched_param parameters = {};
  pthread_getschedparam(pthread_self(), &policy, &parameters);
  if (policy == SCHED_OTHER) pthread_setschedparam(pthread_self(), SCHED_BATCH, &parameters);
#else
  static_cast<void>(thread);
#endif
}

void Pool::worker_main(int thread) noexcept {
  describe_worker(thread);
  Lane& lane = *lanes_[thread];
  for (;;) {
    wait_for_ticket(lane);
    std::uint32_t state = kPosted;
    if (!lane.state.compare_exchange_strong(state, kRunning, std::memory_order_acquire)) {
      if (state == kStop) return;
      continue;  // taken back
    }
    const Region region = lane.region;
    wake_children(thread, region.threads);
    set_fp_mode(region.fp_mode);
    const Interruptible::Worker worker(region.scope);
    work(region, thread);
    lane.state.store(kIdle, std::memory_order_release);
  }
}

// Returns once the state is not kIdle, or without a cause.
void Pool::wait_for_ticket(Lane& lane) noexcept {
  const auto posted = [&lane] { return lane.state.load(std::memory_order_relaxed) != kIdle; };
  const bool crowded = crowded_.load(std::memory_order_relaxed);
  if (spin_until(posted, crowded ? kCrowdedSpin : kIdleSpin)) return;
  lane.parking.exchange(kParked, std::memory_order_acq_rel);  // see wake
  if (!posted()) lane.parker.park(lane.parking, kParked);
  lane.parking.store(kAwake, std::memory_order_relaxed);
}

// Fits the pool to the setting and to the wish of one region; returns how many threads it gets.
int Pool::prepare(int threads) noexcept {
  const int setting = num_threads();
  if (setting != setting_) resize(setting);
  threads = std::min(threads, setting);
  if (running_ < threads - 1) {
    try {
      if (lanes_[0] == nullptr) lanes_[0] = new Lane;
      while (running_ < threads - 1) start_worker(running_ + 1);
    } catch (...) {  // no memory, or no more threads: the region runs on those there are
    }
  }
  return std::min(threads, running_ + 1);
}

void Pool::resize(int setting) noexcept {
  stop_workers(setting);
  crowded_.store(setting > available_cpus(), std::memory_order_relaxed);
  setting_ = setting;
}

void Pool::start_worker(int thread) {
  if (!fork_handled_) {
    if (!call_in_children([] { pool.reset_in_child(); })) throw std::bad_alloc();
    fork_handled_ = true;
  }
  if (lanes_[thread] == nullptr) lanes_[thread] = new Lane;
  const SignalsBlocked blocked;
  lanes_[thread]->thread = std::thread([this, thread] { worker_main(thread); });
  running_ = thread;
}

// Stops the workers from thread number `first` on.
void Pool::stop_workers(int first) noexcept {
  first = std::max(first, 1);
  for (int thread = first; thread <= running_; ++thread) {
    lanes_[thread]->state.store(kStop, std::memory_order_release);
    wake(*lanes_[thread]);
  }
  for (int thread = first; thread <= running_; ++thread) {
    lanes_[thread]->thread.join();
    lanes_[thread]->state.store(kIdle, std::memory_order_relaxed);
  }
  running_ = std::min(running_, first - 1);
  placed_ = std::min(placed_, first);
}

// At exit and dlclose; regions after that are serial. If a region does not end (a daemon thread
// computes on while the process exits), its workers are left to the end of the process.
void Pool::shut_down() noexcept {
  closing_.store(true, std::memory_order_relaxed);
#if !defined(_WIN32)  // there a join in DllMain waits for the loader lock, which DllMain holds
  const Clock::time_point end = Clock::now() + kExitPatience;
  while (entered_.exchange(true, std::memory_order_acquire)) {
    if (Clock::now() >= end) return;
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  stop_workers(1);
  for (int i = 0; i < kMaxThreads && lanes_[i] != nullptr; ++i) {
    delete std::exchange(lanes_[i], nullptr);
  }
#endif
}

// The lanes are built anew over their old selves; no destructor runs, as a std::thread that still
// stands for the parent's thread must not be destroyed.
void Pool::reset_in_child() noexcept {
  for (int i = 0; i < kMaxThreads && lanes_[i] != nullptr; ++i) ::new (lanes_[i]) Lane;
  running_ = 0;
  placed_ = 1;
  leave();
}

}  // namespace

void run_tasks(std::int64_t tasks, int threads, TaskFunction f, void* context) noexcept {
  const std::int64_t wanted = std::min<std::int64_t>(std::min(threads, num_threads()), tasks);
  if (wanted > 1 && tasks <= kMaxTasks && pool.enter()) {
    pool.run(tasks, static_cast<int>(wanted), f, context);
    pool.leave();
  } else {
    run_serially(tasks, f, context);
  }
}

}  // namespace dlnative
