//! What runs on this machine.
