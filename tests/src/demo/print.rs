//! What the demo says.

use std::io::Write;

/// Progress and results, on standard output.
pub fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

/// `[2/5] doing something`.
pub fn step(n: usize, of: usize, what: &str) {
    say(&format!("[{n}/{of}] {what}"));
}

/// What went wrong, on standard error.
pub fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "odcm-demo: {text}");
}
