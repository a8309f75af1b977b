//! What every handler needs of HTTP: the request's context, cookies, CSRF, problem documents, bounded body extractors, ETags.
//!
//! May use: `core`, `crypto`, config types, `ports`; reads `Deps` for settings only. It knows no sessions: callers who need
//! to know who asks use `login::Person` and `login::Token`.
//!
//! Example: `async fn rename(State(deps): State<Deps>, ctx: Ctx, Json(body): Json<Rename>) -> Result<Response, Problem>`.

mod body;
mod context;
pub mod cookies;
pub mod csrf;
pub mod etag;
mod problem;

pub use body::{Form, Json, Path, Query};
pub use context::{Ctx, Lang, RequestId};
pub use problem::Problem;
