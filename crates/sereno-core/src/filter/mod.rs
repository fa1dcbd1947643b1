//! fail2ban's filters: regular expressions of Python's that find failures in lines whose date was
//! cut out.
//!
//! [`regex`] understands the expressions, [`date`] finds the dates.

pub mod date;
pub mod regex;
