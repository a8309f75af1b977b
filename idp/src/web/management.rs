//! The management listener: `/healthz` (the process lives), `/readyz` (it can do its work), `/metrics` (Prometheus). It has no
//! sign-in of its own and belongs inside the operator's network.

use crate::deps::Deps;
use crate::sql;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use std::time::Duration;

/// Routes of the management listener.
pub fn routes() -> Router<Deps> {
    Router::new().route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(ready)).route("/metrics", get(metrics))
}

/// Ready means: the database answers within two seconds.
async fn ready(State(deps): State<Deps>) -> impl IntoResponse {
    let question = deps.db.opt::<(i64,)>(sql!("SELECT epoch FROM deployment WHERE one = 1"), &[]);
    match tokio::time::timeout(Duration::from_secs(2), question).await {
        Ok(Ok(Some(_))) => (StatusCode::OK, "ready\n"),
        Ok(Ok(None)) => (StatusCode::SERVICE_UNAVAILABLE, "the database is not set up\n"),
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n")
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database is slow\n"),
    }
}

async fn metrics(State(deps): State<Deps>) -> impl IntoResponse {
    use std::fmt::Write;
    let mut text = deps.metrics.render();
    text.push_str("# TYPE odcm_transactions_total counter\n");
    for (name, count) in deps.db.tx_counts() {
        for (outcome, n) in [("commit", count.commits), ("retry", count.retries), ("failure", count.failures)] {
            let _ = writeln!(text, "odcm_transactions_total{{name=\"{name}\",outcome=\"{outcome}\"}} {n}");
        }
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
