//! Entries of the systemd journal.

use serde_json::Value;
use sereno_tail::JournalEntry;

/// What holds for any bytes: an entry is a JSON object, and its plain fields say what any other
/// reader of JSON finds in them.
pub fn check(data: &[u8]) {
    let Ok(entry) = JournalEntry::parse(data) else { return };
    let Ok(Value::Object(plain)) = serde_json::from_slice(data) else {
        // An array of the fields in their order is read too; a number too large for anybody
        // else may stand in a field that nobody asks for.
        return;
    };
    let text = |name: &str| plain.get(name).and_then(Value::as_str);
    if let Some(message) = text("MESSAGE") {
        assert_eq!(entry.message, message.as_bytes());
    }
    if let Some(cursor) = text("__CURSOR") {
        assert_eq!(entry.cursor, cursor);
    }
    if let Some(name) = text("_COMM") {
        assert_eq!(entry.trusted.comm.as_deref(), Some(name));
    }
    if let Some(pid) = text("_PID") {
        assert_eq!(entry.trusted.pid, pid.parse().ok());
    }
    assert!(entry.message.len() <= data.len());
}
