//! Mixed lists hold documents of the system and of spaces: which of them a request asks for, by its address and by
//! `spaces` and `includeSystem`.

use super::request::Req;

/// A kind of mixed list; assumptions differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Teams.
    Teams,
    /// Teams of one user.
    Memberships,
    /// Scoped roles.
    Roles,
    /// Events.
    Others,
}

/// What a request for a mixed list asks for.
#[derive(Debug)]
pub struct Scope {
    /// Everything, whatever the rest says.
    everything: bool,
    /// Without flags that count: what lives in the system and in the default space.
    plain: bool,
    spaces: Option<Vec<String>>,
    include_system: Option<bool>,
    address: Option<String>,
}

impl Scope {
    /// Reads a request.
    pub fn of(req: &Req, list: List) -> Self {
        let switches = req.app.switches();
        let (spaces, include_system) = (req.query.list("spaces"), req.query.flag("includeSystem"));
        let ignored = matches!(list, List::Teams | List::Roles) && switches.scope_flags_ignored;
        let bare = (ignored || (spaces.is_none() && include_system.is_none())) && req.facts.space.is_none();
        let all = match list {
            List::Memberships => switches.membership_lists_default_to_all,
            List::Teams | List::Roles | List::Others => switches.mixed_lists_default_to_all,
        };
        Self {
            everything: bare && all,
            plain: bare && ignored,
            spaces: spaces.filter(|_| !ignored),
            include_system: include_system.filter(|_| !ignored),
            address: req.facts.space.clone(),
        }
    }

    /// Asks for everything.
    pub fn everything() -> Self {
        Self { everything: true, plain: false, spaces: None, include_system: None, address: None }
    }

    /// Whether a document of this space, or of the system, is asked for.
    pub fn holds(&self, space_id: Option<&str>) -> bool {
        if self.everything || (self.plain && space_id.is_none_or(|space| space == "Spaces-1")) {
            return true;
        }
        match space_id {
            None => self.include_system == Some(true),
            Some(space) => match (&self.spaces, &self.address) {
                (Some(asked), _) => asked.iter().any(|one| one == "all" || one == space),
                (None, Some(address)) => address == space,
                // `includeSystem=true` without `spaces` asks for the system's documents only.
                (None, None) => self.include_system != Some(true) && space == "Spaces-1",
            },
        }
    }
}
