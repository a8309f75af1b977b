//! Accounts: created, changed, deactivated, and nothing else touched.

use super::{Bench, Outcome, Works, bob, ensure};
use crate::adapter::{AccountChange, AdapterError, MemberChange, NewAccount};

pub(super) async fn describes_itself(bench: &dyn Bench) -> Outcome {
    let adapter = bench.adapter();
    let description = adapter.describe().await.works("describe")?;
    ensure!(!description.installation_id.is_empty(), "no installation id");
    ensure!(!description.version.is_empty(), "no version");
    let again = adapter.describe().await.works("describe again")?;
    ensure!(description == again, "described differently: {description:?}, {again:?}");
    let provider = adapter.provider().await.works("provider")?;
    ensure!(provider.redirect_path.starts_with('/'), "redirect path {}", provider.redirect_path);
    Ok(())
}

pub(super) async fn creates(bench: &dyn Bench) -> Outcome {
    let adapter = bench.adapter();
    let bystander = bench.create_account("carol", "carol@x.example").await;
    let before = bench.untouchable(&bystander).await;
    let created = adapter.create_account(&bob()).await.works("create")?;
    ensure!(created.active && !created.service, "not an active person: {created:?}");
    let names = (created.username.as_str(), created.email.as_str(), created.display_name.as_str());
    ensure!(names == ("bob", "Bob.Builder@x.example", "Bob Builder"), "other names: {created:?}");
    ensure!(created.our_identity_email.as_deref() == Some("Bob.Builder@x.example"), "identity: {created:?}");
    let read = adapter.account(&created.id).await.works("read")?;
    ensure!(read.as_ref() == Some(&created), "read differently: {read:?}, {created:?}");
    let all = adapter.accounts().await.works("list")?;
    ensure!(all.iter().filter(|account| account.username == "bob").count() == 1, "not once in the list");
    ensure!(all.contains(&created), "listed differently: {all:?}");
    ensure!(bench.untouchable(&bystander).await == before, "a bystander changed");

    // The name in other letters, too, is taken: no second account, and the first is not handed out as new.
    let twin = NewAccount { username: "BOB".into(), email: "other@x.example".into(), display_name: "Other".into() };
    let second = adapter.create_account(&twin).await;
    ensure!(matches!(second, Err(AdapterError::Invalid(_))), "a taken name: {second:?}");
    let count = adapter.accounts().await.works("list")?.len();
    ensure!(count == all.len(), "{} accounts became {count}", all.len());
    Ok(())
}

pub(super) async fn refuses_bad_names(bench: &dyn Bench) -> Outcome {
    let adapter = bench.adapter();
    let count = adapter.accounts().await.works("list")?.len();
    let long = "x".repeat(65);
    for (username, display_name) in [(long.as_str(), "Bob"), ("bob", long.as_str()), ("", "Bob"), ("bob", "")] {
        let new = NewAccount { username: username.into(), display_name: display_name.into(), ..bob() };
        let refused = adapter.create_account(&new).await;
        ensure!(matches!(refused, Err(AdapterError::Invalid(_))), "{username:.8}/{display_name:.8}: {refused:?}");
    }
    let after = adapter.accounts().await.works("list")?.len();
    ensure!(count == after, "{count} accounts became {after}");
    Ok(())
}

pub(super) async fn changes_only_what_is_asked(bench: &dyn Bench) -> Outcome {
    let adapter = bench.adapter();
    let created = adapter.create_account(&bob()).await.works("create")?;
    bench.create_api_key(&created.id, "build").await;
    let untouchable = bench.untouchable(&created.id).await;

    let rename = AccountChange { username: Some("robert".into()), ..AccountChange::default() };
    let renamed = adapter.change_account(&created.id, &rename).await.works("rename")?;
    let mut wanted = created.clone();
    wanted.username = "robert".into();
    ensure!(renamed == wanted, "renamed: {renamed:?}, wanted {wanted:?}");

    let change = AccountChange {
        email: Some("robert@y.example".into()),
        display_name: Some("Robert Builder".into()),
        ..AccountChange::default()
    };
    let changed = adapter.change_account(&created.id, &change).await.works("change")?;
    wanted.email = "robert@y.example".into();
    wanted.display_name = "Robert Builder".into();
    wanted.our_identity_email = Some("robert@y.example".into());
    ensure!(changed == wanted, "changed: {changed:?}, wanted {wanted:?}");
    let read = adapter.account(&created.id).await.works("read")?;
    ensure!(read == Some(wanted), "read differently: {read:?}");
    ensure!(bench.untouchable(&created.id).await == untouchable, "more changed than was asked");

    bench.create_account("carol", "carol@x.example").await;
    let taken = AccountChange { username: Some("Carol".into()), ..AccountChange::default() };
    let refused = adapter.change_account(&created.id, &taken).await;
    ensure!(matches!(refused, Err(AdapterError::Invalid(_))), "a taken name: {refused:?}");
    Ok(())
}

pub(super) async fn deactivates_and_activates(bench: &dyn Bench) -> Outcome {
    let adapter = bench.adapter();
    let account = adapter.create_account(&bob()).await.works("create")?;
    let (_, cursor) = adapter.changes_since(None).await.works("cursor")?;
    let set = |active| AccountChange { active: Some(active), ..AccountChange::default() };
    for active in [false, true] {
        let changed = adapter.change_account(&account.id, &set(active)).await.works("set")?;
        ensure!(changed.active == active, "asked {active}: {changed:?}");
        let read = adapter.account(&account.id).await.works("read")?;
        ensure!(read.is_some_and(|read| read.active == active), "asked {active}, read otherwise");
        let again = adapter.change_account(&account.id, &set(active)).await.works("set again")?;
        ensure!(again == changed, "the same again: {again:?}");
    }
    let (changes, _) = adapter.changes_since(Some(&cursor)).await.works("changes")?;
    let writes = changes.iter().filter(|change| change.documents.contains(&account.id)).count();
    ensure!(writes == 2, "two changes of four needed writing, {writes} were written");

    bench.set_active(&account.id, false).await;
    let read = adapter.account(&account.id).await.works("read")?;
    ensure!(read.is_some_and(|read| !read.active), "a local deactivation is not seen");
    Ok(())
}

pub(super) async fn holds_our_identity(bench: &dyn Bench) -> Outcome {
    let adapter = bench.adapter();
    let id = bench.create_account("carol", "carol@x.example").await;
    let untouchable = bench.untouchable(&id).await;
    let read = adapter.account(&id).await.works("read")?;
    ensure!(read.is_some_and(|read| read.our_identity_email.is_none()), "an identity nobody gave");
    let ensure_it = AccountChange { ensure_our_identity: true, ..AccountChange::default() };
    let changed = adapter.change_account(&id, &ensure_it).await.works("ensure")?;
    ensure!(changed.our_identity_email.as_deref() == Some("carol@x.example"), "{changed:?}");
    let again = adapter.change_account(&id, &ensure_it).await.works("ensure again")?;
    ensure!(again == changed && again.identities.len() == 1, "the same again: {again:?}");
    // In other letters it is another address to the server.
    let letters = AccountChange { email: Some("Carol@x.example".into()), ..AccountChange::default() };
    let changed = adapter.change_account(&id, &letters).await.works("letters")?;
    ensure!(changed.our_identity_email.as_deref() == Some("Carol@x.example"), "{changed:?}");
    ensure!(bench.untouchable(&id).await == untouchable, "more changed than was asked");
    Ok(())
}

pub(super) async fn removes_foreign_identities(bench: &dyn Bench) -> Outcome {
    let adapter = bench.adapter();
    let id = bench.create_account("carol", "carol@x.example").await;
    bench.add_identity(&id, "Azure AD", "carol@x.example").await;
    let kept = AccountChange { ensure_our_identity: true, ..AccountChange::default() };
    let changed = adapter.change_account(&id, &kept).await.works("ensure")?;
    let provider = adapter.provider().await.works("provider")?.name;
    let has = |name: &str| changed.identities.iter().any(|identity| identity == name);
    ensure!(has("Azure AD") && has(&provider), "foreign identities stay unless asked: {changed:?}");
    let removed = AccountChange { remove_foreign_identities: true, ..AccountChange::default() };
    let changed = adapter.change_account(&id, &removed).await.works("remove")?;
    ensure!(changed.identities == [provider], "only ours stays: {changed:?}");
    ensure!(changed.our_identity_email.as_deref() == Some("carol@x.example"), "{changed:?}");
    Ok(())
}

pub(super) async fn sets_passwords(bench: &dyn Bench) -> Outcome {
    let adapter = bench.adapter();
    let account = adapter.create_account(&bob()).await.works("create")?;
    let change = AccountChange { password: Some("Correct-Horse-7-Battery".into()), ..AccountChange::default() };
    let changed = adapter.change_account(&account.id, &change).await.works("password")?;
    ensure!(changed == account, "a password changed something that can be read: {changed:?}");
    Ok(())
}

pub(super) async fn knows_what_is_not_there(bench: &dyn Bench) -> Outcome {
    let adapter = bench.adapter();
    for id in ["Users-999999", "me", "all", "", "../users", "Users-1/apikeys", "Users-1?x=y", "identity-metadata", "é"] {
        let read = adapter.account(id).await;
        ensure!(read == Ok(None), "account {id:?}: {read:?}");
        let changed = adapter.change_account(id, &AccountChange { active: Some(false), ..AccountChange::default() }).await;
        ensure!(matches!(changed, Err(AdapterError::NotFound(_))), "change of {id:?}: {changed:?}");
        let keys = adapter.api_keys(id).await;
        ensure!(matches!(keys, Err(AdapterError::NotFound(_) | AdapterError::Unsupported(_))), "keys of {id:?}: {keys:?}");
        let sessions = adapter.end_sessions(id).await;
        let right = matches!(sessions, Err(AdapterError::NotFound(_) | AdapterError::Unsupported(_)));
        ensure!(right, "sessions of {id:?}: {sessions:?}");
        let team = adapter.team(id).await;
        ensure!(team == Ok(None), "team {id:?}: {team:?}");
        let members = adapter.change_members(id, &MemberChange::default()).await;
        ensure!(matches!(members, Err(AdapterError::NotFound(_))), "members of {id:?}: {members:?}");
    }
    Ok(())
}
