//! Live parts: a stream of server-sent events whose event `html` carries the part anew after each change. Who may see it is
//! asked again before each event.

use super::desk::{Desk, Fault};
use crate::core::ids::SpaceId;
use crate::login::Person;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::unfold;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

/// Without news the part is made anew that often: "3 minutes ago" goes on, and an agent that went silent turns offline.
const REFRESH: Duration = Duration::from_secs(20);
/// News that come faster than this are shown together.
const SETTLE: Duration = Duration::from_millis(60);

struct State<F> {
    desk: Desk,
    news: Receiver<SpaceId>,
    space: Option<SpaceId>,
    fragment: F,
    ends: watch::Receiver<bool>,
    first: bool,
    last: String,
    over: bool,
}

/// Streams a part. `space`: only news of that Space count.
pub(super) fn stream<F, W>(desk: Desk, space: Option<SpaceId>, fragment: F) -> impl IntoResponse
where
    F: Fn(Desk) -> W + Send + 'static,
    W: Future<Output = Result<String, Fault>> + Send + 'static,
{
    let (news, ends) = (desk.deps.live.listen(), desk.deps.live.ends());
    let state = State { desk, news, ends, space, fragment, first: true, last: String::new(), over: false };
    Sse::new(unfold(state, next)).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}

async fn next<F, W>(mut state: State<F>) -> Option<(Result<Event, Infallible>, State<F>)>
where
    F: Fn(Desk) -> W + Send + 'static,
    W: Future<Output = Result<String, Fault>> + Send + 'static,
{
    if state.over {
        return None;
    }
    loop {
        if !state.first {
            tokio::select! {
                biased;
                // the server stops: the browser asks again, and finds it or another one
                _ = state.ends.wait_for(|ends| *ends) => return None,
                () = wait(&mut state.news, state.space.as_ref()) => {}
            }
        }
        state.first = false;
        let html = match again(&state.desk).await {
            Some(desk) => (state.fragment)(desk).await,
            None => Err(Fault::gone()),
        };
        match html {
            Ok(html) if html == state.last => {}
            Ok(html) => {
                state.last = html.clone();
                return Some((Ok(Event::default().event("html").data(html.replace('\r', ""))), state));
            }
            Err(_) => {
                // signed out, or the right is gone, or the object is: the page says so when it is loaded again
                state.over = true;
                return Some((Ok(Event::default().event("gone").data("gone")), state));
            }
        }
    }
}

/// Waits for news of the Space, of any Space, or for the next refresh.
async fn wait(news: &mut Receiver<SpaceId>, space: Option<&SpaceId>) {
    let mut ours = async || loop {
        match news.recv().await {
            Ok(id) if space.is_none_or(|wanted| *wanted == id) => break,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => break,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    };
    if tokio::time::timeout(REFRESH, ours()).await.is_ok() {
        tokio::time::sleep(SETTLE).await;
    }
}

/// The session and rights as they are now. An open page is no use of the session.
async fn again(desk: &Desk) -> Option<Desk> {
    let person = Person::look(&desk.deps, &desk.ctx).await.ok()??;
    if person.actor.rights.is_empty() {
        return None;
    }
    Some(Desk::of(&desk.deps, desk.ctx.clone(), person))
}
