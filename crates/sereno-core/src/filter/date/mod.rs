//! Dates anywhere in a line, found as fail2ban finds them.
