//! What the tests share: mounts, workloads, oracles.
