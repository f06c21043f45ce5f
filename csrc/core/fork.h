// fork(): the child has the memory of all threads of its parent, in any state, but only one of
// them. What another thread held or was about to do, nobody in the child will end.
#pragma once

namespace dlnative {

// Calls f in every child that is forked from now on, before fork() returns there. Returns whether
// the system agreed.
bool call_in_children(void (*f)()) noexcept;

}  // namespace dlnative
