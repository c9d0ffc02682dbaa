//! The operations over tables in memory: what a caller finds, may read, and gets. Only a
//! mount can show the rest, which is tested in the package `iterfs-tests`.

mod access;
mod asking;
mod commands;
mod directories;
mod explaining;
mod fake;
mod fixture;
mod opening;
mod programs;
mod quotas;
mod reload;
mod repeating;
mod report;
mod requests;
mod whole;
