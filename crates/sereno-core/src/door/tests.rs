//! What doors do, by example and against a plain model.
