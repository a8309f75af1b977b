//! The two doors of agents: enrolment and the connection.

use super::connection;
use super::hub::Hub;
use super::throttle::Throttle;
use crate::accounts::{agents, keys};
use crate::deps::Deps;
use crate::http::{Ctx, Problem};
use axum::body::Bytes;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use odcm_wire::latest::{EnrolmentAccepted, EnrolmentRequest, FleetKey};
use std::sync::Arc;

/// Largest message of an agent, in bytes.
const MAX_MESSAGE: usize = 4 * 1024 * 1024;
/// Largest enrolment request, in bytes.
const MAX_ENROLMENT: usize = 64 * 1024;

pub(super) fn routes(hub: Hub) -> Router<Deps> {
    Router::new()
        .route("/agent/v1/connect", get(connect))
        .route("/agent/v1/enrol", post(enrol).layer(DefaultBodyLimit::max(MAX_ENROLMENT)))
        .layer(Extension(hub))
        .layer(Extension(Arc::new(Throttle::default())))
}

/// Small buffers: thousands of idle agents cost a few kilobytes each.
async fn connect(State(deps): State<Deps>, Extension(hub): Extension<Hub>, ctx: Ctx, upgrade: WebSocketUpgrade) -> Response {
    let Some(door) = hub.knock(ctx.address) else {
        let problem =
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "agent.busy", "Too many agents connect at once. Come back later.");
        let mut response = problem.into_response();
        let wait = hub.knock_again();
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        return response;
    };
    upgrade
        .read_buffer_size(2048)
        .write_buffer_size(0)
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .on_upgrade(move |socket| connection::run(deps, hub, socket, door))
}

async fn enrol(
    State(deps): State<Deps>,
    Extension(throttle): Extension<Arc<Throttle>>,
    ctx: Ctx,
    body: Bytes,
) -> Result<Json<EnrolmentAccepted>, Problem> {
    let now = deps.clock.now();
    if let Some(wait) = throttle.wait_s(ctx.address, now) {
        return Err(crate::core::Refusal::too_many("enrolment.too_many", wait).into());
    }
    let request: EnrolmentRequest = serde_json::from_slice(&body).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "enrolment.malformed", format!("The body is not an enrolment request: {error}."))
    })?;
    let enrolled = agents::enrol(&deps, &request, &ctx.address.to_string(), Some(&ctx.request_id)).await;
    let enrolled = enrolled.inspect_err(|_| throttle.failed(ctx.address, now))?;
    let ring = keys::ring(&deps).await;
    let fleet = ring.fleet().map_err(|e| crate::accounts::Error::Internal(e.to_string()))?;
    Ok(Json(EnrolmentAccepted {
        agent: enrolled.agent.to_string(),
        space: enrolled.space.to_string(),
        space_name: enrolled.space_name,
        deployment: enrolled.deployment,
        origin: deps.settings.public.origin().into(),
        fleet_keys: vec![FleetKey { key_id: fleet.kid().into(), public_key: BASE64.encode(fleet.public_raw()) }],
    }))
}
