//! `/`: the Spaces of the person, one click to enter each.

use super::extract::Person;
use crate::accounts::launcher::{self, MySpaces, State as SpaceState, Tile};
use crate::core::ids::SpaceId;
use crate::core::text::fold;
use crate::deps::Deps;
use crate::http::{Ctx, Form, Query};
use crate::pages::{self, Page};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

/// `/` and `/star`.
pub(super) fn routes() -> Router<Deps> {
    Router::new().route("/", get(show)).route("/star", post(star))
}

/// A Space on its tile.
#[derive(Clone, Debug, Serialize)]
struct Card {
    id: String,
    name: String,
    description: String,
    host: String,
    /// Where one click enters; none while it cannot be entered.
    href: Option<String>,
    state: SpaceState,
    starred: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Section {
    key: &'static str,
    spaces: Vec<Card>,
}

/// The page.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Home {
    q: String,
    total: usize,
    sections: Vec<Section>,
}

impl Page for Home {
    const TEMPLATE: &'static str = "home.html";
    fn samples() -> Vec<Self> {
        let card = |name: &str, state, starred| Card {
            id: "01890a5d-ac96-774b-bcce-b302099a8057".into(),
            name: name.into(),
            description: if starred { "Everything that flies".into() } else { String::new() },
            host: "mars.example.com".into(),
            href: (state == SpaceState::Ready).then(|| "https://mars.example.com/app".into()),
            state,
            starred,
        };
        let sections = vec![
            Section { key: "starred", spaces: vec![card("Mars", SpaceState::Ready, true)] },
            Section { key: "recent", spaces: vec![card("Venus", SpaceState::Waiting, false)] },
            Section {
                key: "others",
                spaces: vec![card("Pluto", SpaceState::Undecided, false), card("Io", SpaceState::DisabledThere, true)],
            },
        ];
        vec![
            Self { q: "m".into(), total: 4, sections },
            Self { q: String::new(), total: 0, sections: vec![] },
            Self { q: "nothing".into(), total: 4, sections: vec![] },
        ]
    }
}
crate::page!(Home);

/// The address that starts a sign-in at the Space (third-party initiated login, OpenID Connect Core §4); Octopus asks its
/// providers which of them this issuer is.
fn entrance(base_url: &str, issuer: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("iss", issuer).finish();
    format!("{base_url}/app#/users/sign-in?{query}")
}

fn card(tile: Tile, issuer: &str) -> Card {
    let standing = tile.standing;
    let host = standing.base_url.split_once("://").map_or(standing.base_url.as_str(), |(_, rest)| rest).to_owned();
    Card {
        href: (tile.state == SpaceState::Ready).then(|| entrance(&standing.base_url, issuer)),
        id: standing.id.to_string(),
        name: standing.name,
        description: standing.description,
        host,
        state: tile.state,
        starred: standing.starred,
    }
}

fn sections(mine: MySpaces, issuer: &str, q: &str) -> Vec<Section> {
    let wanted = fold(q.trim());
    let fits = |tile: &Tile| {
        let s = &tile.standing;
        [&s.name, &s.slug, &s.description, &s.base_url].into_iter().any(|text| fold(text).contains(&wanted))
    };
    [("starred", mine.starred), ("recent", mine.recent), ("others", mine.others)]
        .into_iter()
        .map(|(key, tiles)| Section { key, spaces: tiles.into_iter().filter(fits).map(|t| card(t, issuer)).collect() })
        .filter(|section| !section.spaces.is_empty())
        .collect()
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    q: String,
}

async fn show(State(deps): State<Deps>, ctx: Ctx, person: Person, Query(search): Query<Search>) -> Response {
    let mine = match launcher::my_spaces(&deps, &person.session.person).await {
        Ok(mine) => mine,
        Err(error) => return pages::fault(&deps, &ctx, error),
    };
    let total = mine.starred.len() + mine.recent.len() + mine.others.len();
    let q: String = search.q.chars().take(200).collect();
    let sections = sections(mine, deps.settings.public.issuer(), &q);
    pages::show(&deps, &ctx).signed(person.signed()).page(&Home { q, total, sections })
}

#[derive(Deserialize)]
struct Star {
    csrf: String,
    space: SpaceId,
    starred: bool,
    #[serde(default)]
    q: String,
}

async fn star(State(deps): State<Deps>, ctx: Ctx, person: Person, Form(form): Form<Star>) -> Response {
    if let Err(problem) = person.check(&deps, &ctx, &form.csrf) {
        return pages::fault(&deps, &ctx, problem);
    }
    if let Err(error) = launcher::star(&deps, &person.session.person, &form.space, form.starred).await {
        return pages::fault(&deps, &ctx, error);
    }
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("q", &form.q).finish();
    pages::see_other(&if form.q.is_empty() { "/".to_owned() } else { format!("/?{query}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entrance_names_the_issuer() {
        assert_eq!(
            entrance("http://mars.localhost:8091", "http://localhost:8080"),
            "http://mars.localhost:8091/app#/users/sign-in?iss=http%3A%2F%2Flocalhost%3A8080"
        );
    }
}
