//! The wanted firewall as a value.
