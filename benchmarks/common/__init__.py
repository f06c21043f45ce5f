"""What all benchmarks share: one timer, one report, one way to drive the libraries compared."""
