//! Do: connect, look, decide, change, look again.
