//! Python's regular expressions with fail2ban's tags, on engines that cannot be stalled.
