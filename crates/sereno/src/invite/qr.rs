//! QR codes on a terminal.

use crate::cli::paint::Paint;
use qrcodegen::{QrCode, QrCodeEcc};

/// Light modules around a code; the standard asks for four.
const QUIET: i32 = 4;

/// A text as a QR code of half blocks; `None` if it is too long for one (2953 bytes). With colours it
/// is black on white wherever it is shown. Without, what is light in it is drawn, for terminals that
/// write light on dark.
#[must_use]
pub fn qr(text: &str, paint: Paint) -> Option<String> {
    let code = QrCode::encode_binary(text.as_bytes(), QrCodeEcc::Low).ok()?;
    let ink = |x: i32, y: i32| code.get_module(x, y) == paint.colours;
    let mut out = String::new();
    for y in (-QUIET..code.size() + QUIET).step_by(2) {
        let row = (-QUIET..code.size() + QUIET).map(|x| match (ink(x, y), ink(x, y + 1)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        });
        let row: String = row.collect();
        // Black on white.
        out.push_str(&if paint.colours {
            format!("\u{1b}[30;107m{row}\u{1b}[0m\n")
        } else {
            row + "\n"
        });
    }
    Some(out)
}
