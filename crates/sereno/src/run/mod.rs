//! Guarding.
