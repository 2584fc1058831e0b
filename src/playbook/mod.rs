//! What is to be true, in which order.
