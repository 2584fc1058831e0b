//! Black-box tests and tests on real machines, in one binary so that linking stays cheap.
mod cli;
mod lab;
mod ssh;
mod support;
