//! Tell: what people and programs see of a run.
