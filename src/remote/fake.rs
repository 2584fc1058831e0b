//! A scripted host: for pure logic, and for faults that cannot be had otherwise. What it was not told about fails.
