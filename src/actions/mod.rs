//! What: the actions.
