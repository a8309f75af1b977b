//! What is done to a person: names, addresses, disabling and enabling, one-time links, ending sessions.

use super::confirm::Confirm;
use super::desk::{Answer, Desk, Fault, Input, Post, url};
use super::form::{Field, FormPage};
use super::people::link_page;
use super::person::load;
use super::pick::{Pick, What, subject, subject_text};
use crate::accounts::access::ProposedChange;
use crate::accounts::people::{self as cases, EditPerson};
use crate::accounts::{emails, links};
use crate::core::directory::Subject;
use crate::core::ids::{EmailId, PersonId};
use crate::core::policy::Act;
use crate::core::text::{DisplayName, Email, Username};
use crate::http::{Path, Query};
use crate::pages;
use crate::storage::people::{self, Person};
use crate::storage::{credentials, emails as stored};

fn here(person: &Person) -> String {
    format!("/admin/people/{}", person.id)
}

fn edit_form(person: &Person) -> FormPage {
    let fields = vec![
        Field::text("display_name", "Name", &person.display_name),
        Field::text("username", "User name", &person.username).hint("Spaces know the person by it; accounts there are renamed."),
        Field::email("email", "E-mail address for Spaces", &person.space_email),
        Field::check("reuse_former_names", "Take over a user name or address that somebody else had before", false)
            .hint("Owners only. Accounts in Spaces may still carry the old name."),
        Field::hidden("version", &person.version.to_string()),
    ];
    FormPage::new("Edit person", &format!("{}/edit", here(person)), "Save", fields)
        .under(&[("People", "/admin/people"), (&person.display_name, &here(person))])
}

/// `GET /admin/people/{id}/edit`.
pub(super) async fn edit(desk: Desk, Path(id): Path<PersonId>) -> Answer {
    let person = load(&desk, &id).await?;
    desk.sees(&Act::ManagePeople)?;
    desk.page(&edit_form(&person))
}

/// `POST /admin/people/{id}/edit`.
pub(super) async fn save(Path(id): Path<PersonId>, post: Post) -> Answer {
    let Post { desk, input } = post;
    let person = load(&desk, &id).await?;
    match try_save(&desk, &id, &input).await {
        Ok(()) => desk.done(&here(&person), "saved"),
        Err(fault) => desk.again(fault, edit_form(&person), &input),
    }
}

async fn try_save(desk: &Desk, id: &PersonId, input: &Input) -> Result<(), Fault> {
    let edit = EditPerson {
        display_name: Some(DisplayName::parse("display_name", input.get("display_name"))?),
        username: Some(Username::parse(input.get("username"))?),
        space_email: Some(Email::parse(input.get("email"))?),
        reuse_former_names: input.ticked("reuse_former_names"),
    };
    cases::edit(&desk.deps, desk.actor(), id, input.version(), edit).await?;
    Ok(())
}

async fn ask_disable(desk: &Desk, person: &Person) -> Result<Confirm, Fault> {
    let ask = Confirm::new(&format!("Disable {}?", person.display_name), &format!("{}/disable", here(person)), "Disable")
        .danger()
        .text("Sessions and tokens end at once. Accounts in Spaces become inactive and their API keys are deleted where the Space says so. Memberships and grants stay, for the day the person is enabled again.")
        .under(&[("People", "/admin/people"), (&person.display_name, &here(person))]);
    ask.trying(desk, &ProposedChange::DisablePerson { person: person.id.clone() }).await
}

/// `GET /admin/people/{id}/disable`.
pub(super) async fn disabling(desk: Desk, Path(id): Path<PersonId>) -> Answer {
    let person = load(&desk, &id).await?;
    desk.sees(&Act::ManagePeople)?;
    desk.page(&ask_disable(&desk, &person).await?)
}

/// `POST /admin/people/{id}/disable`.
pub(super) async fn disable(Path(id): Path<PersonId>, post: Post) -> Answer {
    let Post { desk, .. } = post;
    let person = load(&desk, &id).await?;
    match cases::disable(&desk.deps, desk.actor(), &id, "manual").await {
        Ok(_) => desk.done(&here(&person), "disabled"),
        Err(error) => ask_disable(&desk, &person).await?.refused(&desk, error.into()),
    }
}

async fn ask_enable(desk: &Desk, person: &Person, reason: &str) -> Result<Confirm, Fault> {
    let reasons = people::disabled(&mut desk.db(), &person.id).await?;
    if reasons.iter().all(|r| r.reason != reason) {
        return Err(Fault::gone());
    }
    let name = &person.display_name;
    let last = reasons.len() == 1;
    let (title, submit) = if last {
        (format!("Enable {name}?"), "Enable")
    } else {
        (format!("Take the reason “{reason}” away from {name}?"), "Remove reason")
    };
    let ask = Confirm::new(&title, &format!("{}/enable", here(person)), submit)
        .with("reason", reason)
        .under(&[("People", "/admin/people"), (name, &here(person))]);
    if !last {
        return Ok(ask.text("There are other reasons, so the person stays disabled: nothing else changes."));
    }
    let text = "The person can sign in again. Sessions, tokens and API keys that ended do not come back.";
    ask.text(text).trying(desk, &ProposedChange::EnablePerson { person: person.id.clone() }).await
}

/// `GET /admin/people/{id}/enable`: what taking a reason away does.
pub(super) async fn enabling(desk: Desk, Path(id): Path<PersonId>, Query(input): Query<Input>) -> Answer {
    let person = load(&desk, &id).await?;
    desk.sees(&Act::ManagePeople)?;
    desk.page(&ask_enable(&desk, &person, input.get("reason")).await?)
}

/// `POST /admin/people/{id}/enable`: takes one reason away.
pub(super) async fn enable(Path(id): Path<PersonId>, post: Post) -> Answer {
    let Post { desk, input } = post;
    let person = load(&desk, &id).await?;
    match cases::enable(&desk.deps, desk.actor(), &id, input.get("reason")).await {
        Ok(_) => desk.done(&here(&person), "enabled"),
        Err(error) => ask_enable(&desk, &person, input.get("reason")).await?.refused(&desk, error.into()),
    }
}

fn ask_link(person: &Person, has_password: bool) -> Confirm {
    let name = &person.display_name;
    let ask = Confirm::new(&format!("Make a one-time link for {name}?"), &format!("{}/link", here(person)), "Make link")
        .text("Whoever opens it sets the password of this person and is signed in. Links made before stop working.")
        .under(&[("People", "/admin/people"), (name, &here(person))]);
    if has_password {
        return ask.warn(&format!("When it is used, the present password of {name} is replaced, and all sessions end."));
    }
    ask
}

/// `GET /admin/people/{id}/link`: what a one-time link does.
pub(super) async fn linking(desk: Desk, Path(id): Path<PersonId>) -> Answer {
    let person = load(&desk, &id).await?;
    desk.sees(&Act::ManagePeople)?;
    let password = credentials::password(&mut desk.db(), &id).await?;
    desk.page(&ask_link(&person, password.is_some()))
}

/// `POST /admin/people/{id}/link`: a one-time link, shown once.
pub(super) async fn link(Path(id): Path<PersonId>, post: Post) -> Answer {
    let Post { desk, .. } = post;
    let person = load(&desk, &id).await?;
    match links::create(&desk.deps, desk.actor(), &id).await {
        Ok(link) => desk.page(&link_page(&id, &person.display_name, link)),
        Err(error) => ask_link(&person, false).refused(&desk, error.into()),
    }
}

fn ask_end(person: &Person) -> Confirm {
    Confirm::new(&format!("End all sessions of {}?", person.display_name), &format!("{}/sessions", here(person)), "End sessions")
        .danger()
        .text("The person has to sign in again everywhere. Refresh tokens of applications end as well. Sessions inside Spaces live on until they run out there.")
        .under(&[("People", "/admin/people"), (&person.display_name, &here(person))])
}

/// `GET /admin/people/{id}/sessions`.
pub(super) async fn ending(desk: Desk, Path(id): Path<PersonId>) -> Answer {
    let person = load(&desk, &id).await?;
    desk.sees(&Act::ManagePeople)?;
    desk.page(&ask_end(&person))
}

/// `POST /admin/people/{id}/sessions`.
pub(super) async fn end(Path(id): Path<PersonId>, post: Post) -> Answer {
    let Post { desk, .. } = post;
    let person = load(&desk, &id).await?;
    match cases::end_sessions(&desk.deps, desk.actor(), &id).await {
        Ok(_) => desk.done(&here(&person), "ended"),
        Err(error) => ask_end(&person).refused(&desk, error.into()),
    }
}

fn email_form(person: &Person) -> FormPage {
    let fields = vec![
        Field::email("email", "E-mail address", ""),
        Field::check("verified", "I know that this address belongs to the person", false)
            .hint("A verified address can be used to sign in."),
    ];
    FormPage::new("Add an e-mail address", &format!("{}/emails/add", here(person)), "Add address", fields)
        .under(&[("People", "/admin/people"), (&person.display_name, &here(person))])
}

/// `GET /admin/people/{id}/emails/add`.
pub(super) async fn new_email(desk: Desk, Path(id): Path<PersonId>) -> Answer {
    let person = load(&desk, &id).await?;
    desk.sees(&Act::ManagePeople)?;
    desk.page(&email_form(&person))
}

/// `POST /admin/people/{id}/emails/add`.
pub(super) async fn add_email(Path(id): Path<PersonId>, post: Post) -> Answer {
    let Post { desk, input } = post;
    let person = load(&desk, &id).await?;
    let added = async {
        let email = Email::parse(input.get("email"))?;
        Ok::<_, Fault>(emails::add(&desk.deps, desk.actor(), &id, &email, input.ticked("verified")).await?)
    };
    match added.await {
        Ok(_) => desk.done(&here(&person), "added"),
        Err(fault) => desk.again(fault, email_form(&person), &input),
    }
}

/// `POST /admin/people/{id}/emails/{email}/verify`.
pub(super) async fn verify_email(Path((id, email)): Path<(PersonId, EmailId)>, post: Post) -> Answer {
    let Post { desk, .. } = post;
    emails::verify(&desk.deps, desk.actor(), &id, &email).await?;
    desk.done(&format!("/admin/people/{id}"), "saved")
}

async fn ask_remove_email(desk: &Desk, id: &PersonId, email: &EmailId) -> Result<Confirm, Fault> {
    let person = load(desk, id).await?;
    let row = stored::find(&mut desk.db(), email).await?.filter(|row| row.person_id == *id).ok_or_else(Fault::gone)?;
    let name = &person.display_name;
    let action = format!("{}/emails/{email}/remove", here(&person));
    let ask = Confirm::new(&format!("Remove the address {}?", row.address), &action, "Remove address")
        .danger()
        .under(&[("People", "/admin/people"), (name, &here(&person))]);
    Ok(match row.verified_at {
        Some(_) => ask.text(&format!("{name} can no longer sign in with it. The person and everything else stay.")),
        None => ask.text(&format!("It was never verified, so {name} could not sign in with it.")),
    })
}

/// `GET /admin/people/{id}/emails/{email}/remove`.
pub(super) async fn removing_email(desk: Desk, Path((id, email)): Path<(PersonId, EmailId)>) -> Answer {
    desk.sees(&Act::ManagePeople)?;
    desk.page(&ask_remove_email(&desk, &id, &email).await?)
}

/// `POST /admin/people/{id}/emails/{email}/remove`.
pub(super) async fn remove_email(Path((id, email)): Path<(PersonId, EmailId)>, post: Post) -> Answer {
    let Post { desk, .. } = post;
    match emails::remove(&desk.deps, desk.actor(), &id, &email).await {
        Ok(()) => desk.done(&format!("/admin/people/{id}"), "removed"),
        Err(error) => ask_remove_email(&desk, &id, &email).await?.refused(&desk, error.into()),
    }
}

/// `GET /admin/people/{id}/groups/add`: find a group for the person. The next page is the one of the group, which shows
/// what it does.
pub(super) async fn joining(desk: Desk, Path(id): Path<PersonId>, Query(input): Query<Input>) -> Answer {
    let person = load(&desk, &id).await?;
    desk.sees(&Act::ManageGroups)?;
    if let Ok(Subject::Group(group)) = subject(input.get("who")) {
        let who = subject_text(&Subject::Person(id));
        let query = [("who", who.as_str()), ("from", input.get("from")), ("until", input.get("until"))];
        return Ok(pages::see_other(&url(&format!("/admin/groups/{group}/members/check"), &query)));
    }
    let add = format!("{}/groups/add", here(&person));
    let page = Pick {
        title: format!("Put {} into a group", person.display_name),
        text: "Choose a group. What it does is shown before it is done.".into(),
        trail: vec![("People".into(), "/admin/people".into()), (person.display_name.clone(), here(&person))],
        action: add.clone(),
        next: add,
        label: "Name of the group",
        with_span: true,
        ..Pick::default()
    };
    desk.page(&page.find(&desk, &input, What::Groups).await?)
}
