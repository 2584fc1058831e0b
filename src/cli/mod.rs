//! Ask: the command line.
