//! Many reads, one command: a script whose answers are framed so that none can be taken for another's.
