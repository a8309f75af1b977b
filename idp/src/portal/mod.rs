//! The administration portal: server-rendered pages under `/admin` that work without scripts, live parts over SSE.
//!
//! May use: `accounts` (every write), `login`, `pages`, `http`, `storage` (reads), `core`. No rules here: a handler reads
//! input, calls one use case, shows a page. What would take something away is shown by a dry run before it is done. One
//! file per page; shared ones are `form` (keeps what was typed), `confirm` (the question before an act), `pick` (find a
//! person or group), `once` (secrets), `list`, `history`.
//!
//! Example: `portal::routes(&deps)` merged in `web`.

mod audit;
mod client_groups;
mod clients;
mod confirm;
mod dashboard;
mod desk;
mod effects;
mod explain;
mod form;
mod group;
mod groups;
mod history;
mod identity_requests;
mod keys;
mod list;
mod live;
mod members;
mod nav;
mod once;
mod people;
mod person;
mod person_acts;
mod person_join;
mod person_sign_ins;
mod pick;
mod provider_claims;
mod provider_directory;
mod provider_form;
mod providers;
mod rights;
mod space;
mod space_access;
mod space_decisions;
mod space_events;
mod space_field;
mod space_settings;
mod spaces;
mod tokens;
mod whatif;

use crate::deps::Deps;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

/// `/admin…`.
pub fn routes(deps: &Deps) -> Router<Deps> {
    Router::new()
        .route("/admin", get(dashboard::show))
        .route("/admin/live", get(dashboard::stream))
        .merge(of_people())
        .merge(of_groups())
        .merge(of_spaces())
        .merge(of_providers())
        .merge(of_system())
        .route_layer(from_fn_with_state(deps.clone(), desk::say))
}

fn of_people() -> Router<Deps> {
    use {people as all, person as one, person_acts as act, person_sign_ins as sign};
    Router::new()
        .route("/admin/people", get(all::list))
        .route("/admin/people/new", get(all::new).post(all::create))
        .route("/admin/people/{id}", get(one::show))
        .route("/admin/people/{id}/edit", get(act::edit).post(act::save))
        .route("/admin/people/{id}/disable", get(act::disabling).post(act::disable))
        .route("/admin/people/{id}/enable", get(act::enabling).post(act::enable))
        .route("/admin/people/{id}/link", get(act::linking).post(act::link))
        .route("/admin/people/{id}/groups/add", get(act::joining))
        .route("/admin/people/{id}/sessions", get(act::ending).post(act::end))
        .route("/admin/people/{id}/emails/add", get(act::new_email).post(act::add_email))
        .route("/admin/people/{id}/emails/{email}/verify", post(act::verify_email))
        .route("/admin/people/{id}/emails/{email}/remove", get(act::removing_email).post(act::remove_email))
        .route("/admin/people/{id}/join", get(person_join::picking).post(person_join::join))
        .route("/admin/people/{id}/join/check", get(person_join::check))
        .route("/admin/people/{id}/joins/{join}/undo", post(person_join::undo))
        .route("/admin/people/{id}/invite", get(sign::inviting).post(sign::invite))
        .route("/admin/people/{id}/identities/add", get(sign::new_identity).post(sign::link_identity))
        .route("/admin/people/{id}/identities/{identity}/remove", get(sign::unlinking).post(sign::unlink))
        .route("/admin/people/{id}/sessions/{session}/end", post(sign::end_session))
        .route("/admin/people/{id}/tokens/{token}/revoke", get(sign::revoking).post(sign::revoke))
        .route("/admin/people/{id}/consents/{client}/withdraw", get(sign::withdrawing).post(sign::withdraw))
}

fn of_groups() -> Router<Deps> {
    Router::new()
        .route("/admin/groups", get(groups::list))
        .route("/admin/groups/new", get(groups::new).post(groups::create))
        .route("/admin/groups/{id}", get(group::show))
        .route("/admin/groups/{id}/edit", get(group::edit).post(group::save))
        .route("/admin/groups/{id}/delete", get(group::delete).post(group::do_delete))
        .route("/admin/groups/{id}/members/add", get(members::pick).post(members::add))
        .route("/admin/groups/{id}/members/check", get(members::check))
        .route("/admin/groups/{id}/members/remove", get(members::removing).post(members::remove))
        .route("/admin/groups/{id}/members/span", get(members::span_of).post(members::set_span))
}

fn of_spaces() -> Router<Deps> {
    use {space_access as access, space_decisions as decisions, space_settings as settings};
    Router::new()
        .route("/admin/spaces", get(spaces::list))
        .route("/admin/spaces/new", get(spaces::new).post(spaces::create))
        .route("/admin/spaces/{id}", get(space::show))
        .route("/admin/spaces/{id}/live", get(space::stream))
        .route("/admin/spaces/{id}/access", get(access::show))
        .route("/admin/spaces/{id}/grants/add", get(access::picking).post(access::add))
        .route("/admin/spaces/{id}/grants/check", get(access::check))
        .route("/admin/spaces/{id}/grants/{grant}/revoke", get(access::revoking).post(access::revoke))
        .route("/admin/spaces/{id}/grants/{grant}/span", get(access::span_of).post(access::set_span))
        .route("/admin/spaces/{id}/groups/publish", get(access::publishing).post(access::publish))
        .route("/admin/spaces/{id}/groups/unpublish", get(access::unpublishing).post(access::unpublish))
        .route("/admin/spaces/{id}/decisions", get(decisions::show))
        .route("/admin/spaces/{id}/adoptions/{person}", post(decisions::decide))
        .route("/admin/spaces/{id}/sweeps", get(decisions::sweeping).post(decisions::sweep))
        .route("/admin/spaces/{id}/events", get(space_events::show))
        .route("/admin/spaces/{id}/settings", get(settings::show))
        .route("/admin/spaces/{id}/edit", get(settings::edit).post(settings::save))
        .route("/admin/spaces/{id}/code", post(settings::code))
        .route("/admin/spaces/{id}/secret", get(settings::rotating).post(settings::rotate))
        .route("/admin/spaces/{id}/agent/revoke", get(settings::revoking).post(settings::revoke))
        .route("/admin/spaces/{id}/remove", get(settings::removing).post(settings::remove))
}

fn of_providers() -> Router<Deps> {
    use {identity_requests as waiting, provider_claims as claims};
    Router::new()
        .route("/admin/providers", get(providers::list))
        .route("/admin/providers/new", get(providers::new).post(providers::create))
        .route("/admin/providers/{id}", get(providers::show))
        .route("/admin/providers/{id}/edit", get(providers::edit).post(providers::save))
        .route("/admin/providers/{id}/examine", post(providers::examine))
        .route("/admin/providers/{id}/claims", get(claims::show).post(claims::read))
        .route("/admin/providers/{id}/remove", get(providers::removing).post(providers::remove))
        .route("/admin/identity-requests", get(waiting::list))
        .route("/admin/identity-requests/{id}", get(waiting::show))
        .route("/admin/identity-requests/{id}/join", get(waiting::picking).post(waiting::join))
        .route("/admin/identity-requests/{id}/check", get(waiting::check))
        .route("/admin/identity-requests/{id}/refuse", post(waiting::refuse))
}

fn of_system() -> Router<Deps> {
    Router::new()
        .route("/admin/explain", get(explain::show))
        .route("/admin/explain/change", get(whatif::show))
        .route("/admin/audit", get(audit::show))
        .route("/admin/rights", get(rights::list))
        .route("/admin/rights/give", get(rights::pick))
        .route("/admin/rights/scope", get(rights::scope))
        .route("/admin/rights/new", get(rights::new).post(rights::give))
        .route("/admin/rights/{id}/take", get(rights::taking).post(rights::take))
        .route("/admin/tokens", get(tokens::list))
        .route("/admin/tokens/new", get(tokens::new).post(tokens::create))
        .route("/admin/tokens/{id}/revoke", get(tokens::revoking).post(tokens::revoke))
        .route("/admin/keys", get(keys::list))
        .route("/admin/keys/{alg}/rotate", get(keys::rotating).post(keys::rotate))
        .route("/admin/clients", get(clients::list))
        .route("/admin/clients/new", get(clients::new).post(clients::create))
        .route("/admin/clients/{id}", get(clients::show))
        .route("/admin/clients/{id}/edit", get(clients::edit).post(clients::save))
        .route("/admin/clients/{id}/rotate", get(clients::rotating).post(clients::rotate))
        .route("/admin/clients/{id}/disable", get(clients::disabling).post(clients::disable))
        .route("/admin/clients/{id}/enable", get(clients::enabling).post(clients::enable))
        .route("/admin/clients/{id}/groups/add", get(client_groups::picking).post(client_groups::add))
        .route("/admin/clients/{id}/groups/check", get(client_groups::adding))
        .route("/admin/clients/{id}/groups/remove", get(client_groups::removing).post(client_groups::remove))
}
