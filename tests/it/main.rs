//! Black-box tests and tests on real machines, in one binary so that linking stays cheap.
#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected may well panic")]

mod bad;
mod cli;
mod floors;
mod inventories;
mod lab;
mod pages;
mod run;
mod schemas;
mod ssh;
mod support;
