//! The side navigation: only what the caller may open.

use super::desk::Desk;
use crate::core::policy::{Act, Scope};
use crate::pages::{NavGroup, NavItem};

/// The links for somebody.
pub(super) fn of(desk: &Desk) -> Vec<NavGroup> {
    let all = desk.may(&Act::ReadAll);
    let scoped = |wanted: fn(&Scope) -> bool| desk.actor().rights.iter().any(|right| wanted(&right.scope));
    let path = desk.ctx.path.split('?').next().unwrap_or_default();
    let item = |label, href: &'static str, icon, shown: bool| {
        let current = path == href || (href != "/admin" && path.strip_prefix(href).is_some_and(|rest| rest.starts_with('/')));
        shown.then_some(NavItem { label, href, icon, current })
    };
    let group = |label, items: Vec<Option<NavItem>>| NavGroup { label, items: items.into_iter().flatten().collect() };
    let groups = vec![
        group("", vec![item("nav.dashboard", "/admin", "home", true)]),
        group(
            "nav.access",
            vec![
                item("nav.people", "/admin/people", "people", all),
                item("nav.groups", "/admin/groups", "groups", all || scoped(|s| matches!(s, Scope::Group(_)))),
                item("nav.spaces", "/admin/spaces", "spaces", all || scoped(|s| matches!(s, Scope::Space(_)))),
                item("nav.explain", "/admin/explain", "explain", desk.may(&Act::Explain)),
            ],
        ),
        group(
            "nav.system",
            vec![
                item("nav.providers", "/admin/providers", "person", all),
                item("nav.requests", "/admin/identity-requests", "clock", desk.may(&Act::ManagePeople)),
                item("nav.clients", "/admin/clients", "clients", all),
                item("nav.audit", "/admin/audit", "audit", desk.may(&Act::ReadAudit)),
                item("nav.rights", "/admin/rights", "lock", all),
                item("nav.tokens", "/admin/tokens", "key", true),
                item("nav.keys", "/admin/keys", "settings", all),
            ],
        ),
    ];
    groups.into_iter().filter(|g| !g.items.is_empty()).collect()
}
