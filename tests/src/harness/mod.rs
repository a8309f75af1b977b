//! What tests and the demo share: running servers, asking processes to end, waiting for a condition.

pub mod postgres;

use std::time::Duration;

/// Resolves at Ctrl-C or SIGTERM.
pub async fn asked_to_end() {
    #[cfg(unix)]
    if let Ok(mut terminated) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
        return;
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// Asks `question` every `every` until it answers, at most `limit`; the error is its last objection.
///
/// # Errors
/// The last objection, when the limit is over.
pub async fn until<T, F: Future<Output = Result<T, String>>>(
    limit: Duration,
    every: Duration,
    mut question: impl FnMut() -> F,
) -> Result<T, String> {
    let deadline = tokio::time::Instant::now() + limit;
    loop {
        match question().await {
            Ok(answer) => return Ok(answer),
            Err(objection) if tokio::time::Instant::now() >= deadline => return Err(objection),
            Err(_) => tokio::time::sleep(every).await,
        }
    }
}
