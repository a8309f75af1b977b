//! `/explain`, `/dry-run` and `/people/{id}/access`.

use super::shape::{Answer, Holds, Problems, SubjectRef, When, id as parse_id, missing, of, ok, read, refused};
use crate::accounts::access::{self, ProposedChange};
use crate::core::access::View;
use crate::core::difference::Turn;
use crate::core::ids::{GrantId, GroupId, PersonId, SpaceId};
use crate::core::policy::Act;
use crate::deps::Deps;
use crate::http::{Ctx, Json, Path, Problem, Query};
use crate::login::Token;
use crate::storage::directory;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Deps> {
    OpenApiRouter::new().routes(routes!(explain)).routes(routes!(dry_run)).routes(routes!(of_person))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Question {
    /// Who.
    #[param(format = "uuid")]
    person: String,
    /// Where.
    #[param(format = "uuid")]
    space: String,
}

/// Why, or why not.
#[derive(Serialize, ToSchema)]
#[schema(as = Explanation)]
struct Answered {
    /// The person may enter.
    may_enter: bool,
    /// In which time around now that holds.
    when: Option<When>,
    /// The same in sentences.
    sentences: Vec<String>,
    /// The ways, shortest first: those that hold, or those that lack one edge.
    #[schema(value_type = Object)]
    detail: serde_json::Value,
}

/// Why can this person enter this Space, or what is missing?
#[utoipa::path(get, operation_id = "explain", path = "/explain", tag = "access", params(Question), responses((status = 200, body = Answered), Problems))]
async fn explain(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Query(q): Query<Question>) -> Answer {
    let (person, space): (PersonId, SpaceId) = (parse_id(&q.person, "person", &ctx)?, parse_id(&q.space, "space", &ctx)?);
    let (explanation, facts) = access::explain(&deps, &actor, &person, &space).await.map_err(of(&ctx))?;
    ok(Answered {
        may_enter: explanation.span.is_some(),
        when: explanation.span.map(When::from),
        sentences: explanation.sentences(&facts),
        detail: serde_json::to_value(&explanation).unwrap_or_default(),
    })
}

/// A change to look at before it is made.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = ProposedChange)]
enum Proposed {
    /// A person or group comes into a group.
    AddMembership {
        #[schema(format = "uuid")]
        group: String,
        member: SubjectRef,
        #[serde(default)]
        when: When,
    },
    /// The manual assertion holds at another time.
    ChangeMembership {
        #[schema(format = "uuid")]
        group: String,
        member: SubjectRef,
        #[serde(default)]
        when: When,
    },
    /// The manual assertion goes.
    RemoveMembership {
        #[schema(format = "uuid")]
        group: String,
        member: SubjectRef,
    },
    /// A Space is granted.
    AddGrant {
        #[schema(format = "uuid")]
        space: String,
        subject: SubjectRef,
        #[serde(default)]
        when: When,
    },
    /// A grant holds at another time.
    ChangeGrant {
        #[schema(format = "uuid")]
        grant: String,
        #[serde(default)]
        when: When,
    },
    /// A grant goes.
    RevokeGrant {
        #[schema(format = "uuid")]
        grant: String,
    },
    /// A person is disabled.
    DisablePerson {
        #[schema(format = "uuid")]
        person: String,
    },
    /// A person is active again.
    EnablePerson {
        #[schema(format = "uuid")]
        person: String,
    },
    /// Two people become one.
    JoinPeople {
        /// Who stays.
        #[schema(format = "uuid")]
        kept: String,
        /// Who goes.
        #[schema(format = "uuid")]
        gone: String,
    },
    /// A Space goes.
    RemoveSpace {
        #[schema(format = "uuid")]
        space: String,
    },
    /// A group goes.
    DeleteGroup {
        #[schema(format = "uuid")]
        group: String,
    },
    /// A group is published to a Space.
    PublishGroup {
        #[schema(format = "uuid")]
        space: String,
        #[schema(format = "uuid")]
        group: String,
    },
    /// A published group is taken back.
    UnpublishGroup {
        #[schema(format = "uuid")]
        space: String,
        #[schema(format = "uuid")]
        group: String,
    },
}

fn proposed(body: &Proposed, ctx: &Ctx) -> Result<ProposedChange, Problem> {
    let group = |t: &str| parse_id::<GroupId>(t, "group", ctx);
    let space = |t: &str| parse_id::<SpaceId>(t, "space", ctx);
    let grant = |t: &str| parse_id::<GrantId>(t, "grant", ctx);
    Ok(match body {
        Proposed::AddMembership { group: g, member, when } => ProposedChange::AddMembership {
            group: group(g)?,
            member: member.subject("member", ctx)?,
            span: when.span("when.", ctx)?,
        },
        Proposed::ChangeMembership { group: g, member, when } => ProposedChange::ChangeMembership {
            group: group(g)?,
            member: member.subject("member", ctx)?,
            span: when.span("when.", ctx)?,
        },
        Proposed::RemoveMembership { group: g, member } => {
            ProposedChange::RemoveMembership { group: group(g)?, member: member.subject("member", ctx)? }
        }
        Proposed::AddGrant { space: s, subject, when } => ProposedChange::AddGrant {
            space: space(s)?,
            subject: subject.subject("subject", ctx)?,
            span: when.span("when.", ctx)?,
        },
        Proposed::ChangeGrant { grant: g, when } => {
            ProposedChange::ChangeGrant { grant: grant(g)?, span: when.span("when.", ctx)? }
        }
        Proposed::RevokeGrant { grant: g } => ProposedChange::RevokeGrant { grant: grant(g)? },
        Proposed::JoinPeople { kept, gone } => {
            ProposedChange::JoinPeople { kept: parse_id(kept, "kept", ctx)?, gone: parse_id(gone, "gone", ctx)? }
        }
        Proposed::DisablePerson { person } => ProposedChange::DisablePerson { person: parse_id(person, "person", ctx)? },
        Proposed::EnablePerson { person } => ProposedChange::EnablePerson { person: parse_id(person, "person", ctx)? },
        Proposed::RemoveSpace { space: s } => ProposedChange::RemoveSpace { space: space(s)? },
        Proposed::DeleteGroup { group: g } => ProposedChange::DeleteGroup { group: group(g)? },
        Proposed::PublishGroup { space: s, group: g } => ProposedChange::PublishGroup { space: space(s)?, group: group(g)? },
        Proposed::UnpublishGroup { space: s, group: g } => ProposedChange::UnpublishGroup { space: space(s)?, group: group(g)? },
    })
}

/// What happens to one person in one Space.
#[derive(Serialize, ToSchema)]
struct Effect {
    /// Where.
    #[schema(format = "uuid")]
    space: String,
    /// Its name.
    space_name: String,
    /// Membership in this group as the Space knows it; null: entry to the Space.
    #[schema(format = "uuid")]
    group: Option<String>,
    /// Its name.
    group_name: Option<String>,
    /// Who.
    #[schema(format = "uuid")]
    person: String,
    /// Their name.
    person_name: String,
    /// `gains`, `loses` or `retimed`.
    turn: &'static str,
    /// When it holds afterwards.
    when: Option<When>,
}

/// What a change would do.
#[derive(Serialize, ToSchema)]
struct Effects {
    /// Exactly who gains and who loses what.
    effects: Vec<Effect>,
}

/// Who would gain and who would lose what by a change; nothing is changed.
#[utoipa::path(post, operation_id = "dry_run", path = "/dry-run", tag = "access", request_body = Proposed, responses((status = 200, body = Effects), Problems))]
async fn dry_run(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Json(body): Json<Proposed>) -> Answer {
    let (effects, facts) = access::dry_run(&deps, &actor, &proposed(&body, &ctx)?).await.map_err(of(&ctx))?;
    let shape = |e: crate::core::difference::Effect| {
        let (turn, when) = match e.turn {
            Turn::Gains { span } => ("gains", Some(When::from(span))),
            Turn::Loses => ("loses", None),
            Turn::Retimed { span } => ("retimed", Some(When::from(span))),
        };
        Effect {
            space_name: facts.spaces.get(&e.space).cloned().unwrap_or_default(),
            space: e.space.to_string(),
            group_name: e.group.as_ref().and_then(|g| facts.groups.get(g).cloned()),
            group: e.group.map(|g| g.to_string()),
            person_name: facts.people.get(&e.person).map(|p| p.display_name.clone()).unwrap_or_default(),
            person: e.person.to_string(),
            turn,
            when,
        }
    };
    ok(Effects { effects: effects.into_iter().map(shape).collect() })
}

/// An object with the time in which it holds.
#[derive(Serialize, ToSchema)]
struct Held {
    /// Id.
    #[schema(format = "uuid")]
    id: String,
    /// Name.
    name: String,
    /// When it holds.
    #[serde(flatten)]
    when: Holds,
}

/// What a person has.
#[derive(Serialize, ToSchema)]
struct PersonAccess {
    /// Spaces the person may enter.
    spaces: Vec<Held>,
    /// Groups the person is in, nested ones included.
    groups: Vec<Held>,
}

/// Which Spaces a person may enter and which groups they are in.
#[utoipa::path(get, operation_id = "get_person_access", path = "/people/{id}/access", tag = "access", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = PersonAccess), Problems))]
async fn of_person(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Path(id): Path<PersonId>) -> Answer {
    actor.may(&Act::ReadAll).map_err(refused(&ctx))?;
    let facts = directory::of_person(&mut &deps.db, &id).await.map_err(read(&ctx))?;
    if !facts.people.contains_key(&id) {
        return Err(missing(&ctx, "person"));
    }
    let view = View::new(&facts, deps.clock.now());
    let spaces = view.spaces_of(&id).into_iter().map(|(s, span)| Held {
        name: facts.spaces.get(&s).cloned().unwrap_or_default(),
        id: s.to_string(),
        when: span.into(),
    });
    let groups = view.groups_of(&id).into_iter().map(|(g, span)| Held {
        name: facts.groups.get(&g).cloned().unwrap_or_default(),
        id: g.to_string(),
        when: span.into(),
    });
    ok(PersonAccess { spaces: spaces.collect(), groups: groups.collect() })
}
