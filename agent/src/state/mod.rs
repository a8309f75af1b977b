//! The agent's state folder: its key and enrolment, the last documents as received, and its records.
//!
//! May use the wire crate and the keys. Everything is loaded once at the start; a piece that cannot be understood stops the
//! agent with a clear error, it is never reset. [`State`] knows the names of the pieces, [`Store`] where they lie.
//!
//! ```no_run
//! use odcm_agent::state::{Folder, State};
//! let state = State::open(Box::new(Folder::open("/var/lib/odcm-agent".as_ref())?))?;
//! println!("agent {} of {}", state.enrolment.agent, state.enrolment.space_name);
//! # Ok::<(), odcm_agent::AgentError>(())
//! ```

mod file;
mod records;
pub(crate) mod track;

pub use file::{Folder, Store};
pub use records::{
    ClientSecret, Creating, Enrolment, Floor, Link, Off, Records, SecretStage, SignIn, SpoolFile, Spooled, TeamRecord,
};

use crate::AgentError;
use crate::clock::Anchor;
use crate::keys::{FleetKeys, HeldKey};
use odcm_wire::Digest;
use odcm_wire::latest::{AccessState, AuthenticationState, Position, Section};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;
use track::Track;

const ENROLMENT: &str = "enrolment.json";
const ACCESS: &str = "access.json";
const AUTHENTICATION: &str = "authentication.json";
const RECORDS: &str = "records.json";
const SIGN_IN: &str = "sign-in.json";
const FLOOR: &str = "floor.json";
const CLOCK: &str = "clock.json";
const SPOOL: &str = "spool.json";
const FLEET: &str = "fleet.json";

/// Everything the agent knows, and where it is kept.
pub struct State {
    store: Box<dyn Store>,
    saved: BTreeMap<&'static str, Digest>,
    /// Enrolment.
    pub enrolment: Enrolment,
    /// ODCM's keys: those of the enrolment, or the successors that were followed since.
    pub keys: FleetKeys,
    /// Section *access*.
    pub access: Track<AccessState>,
    /// Section *authentication*.
    pub authentication: Track<AuthenticationState>,
    /// Records of section *access*.
    pub records: Records,
    /// Records of section *authentication*.
    pub sign_in: SignIn,
    /// Versions that must not go back.
    pub floor: Floor,
    /// ODCM's time, last heard.
    pub anchor: Option<Anchor>,
    /// Reports that ODCM may not have.
    pub spool: SpoolFile,
}

impl State {
    /// Loads everything and verifies the signed documents again.
    ///
    /// # Errors
    /// [`AgentError::NotEnrolled`], [`AgentError::Corrupt`], [`AgentError::Io`].
    pub fn open(store: Box<dyn Store>) -> Result<Self, AgentError> {
        let enrolment: Enrolment =
            load(&*store, ENROLMENT)?.ok_or_else(|| AgentError::NotEnrolled(std::path::PathBuf::from(ENROLMENT)))?;
        let keys = match load::<Vec<HeldKey>>(&*store, FLEET)? {
            Some(held) => FleetKeys::from_held(held, FLEET)?,
            None => FleetKeys::parse(&enrolment.fleet_keys)?,
        };
        Ok(Self {
            saved: BTreeMap::new(),
            access: Track::load(store.load(ACCESS)?.as_deref(), &enrolment, &keys, ACCESS)?,
            authentication: Track::load(store.load(AUTHENTICATION)?.as_deref(), &enrolment, &keys, AUTHENTICATION)?,
            records: load(&*store, RECORDS)?.unwrap_or_default(),
            sign_in: load(&*store, SIGN_IN)?.unwrap_or_default(),
            floor: load(&*store, FLOOR)?.unwrap_or_default(),
            anchor: load(&*store, CLOCK)?,
            spool: load(&*store, SPOOL)?.unwrap_or_default(),
            enrolment,
            keys,
            store,
        })
    }

    /// Writes the first piece of a new folder.
    ///
    /// # Errors
    /// [`AgentError::AlreadyEnrolled`] when the folder has one, [`AgentError::Io`].
    pub fn enrol(store: &mut dyn Store, enrolment: &Enrolment) -> Result<(), AgentError> {
        Self::ensure_empty(store)?;
        store.save(ENROLMENT, &write(ENROLMENT, enrolment)?)
    }

    /// Writes a new enrolment over an earlier one of the same Space, Octopus server and ODCM. What the agent remembers of
    /// the Space stays (links, teams, the settings from before ODCM); documents go, ODCM sends them anew. In a folder
    /// without enrolment this is [`Self::enrol`].
    ///
    /// # Errors
    /// [`AgentError::Config`] when the folder belongs to another Space, server or ODCM; [`AgentError::Io`].
    pub fn enrol_again(store: &mut dyn Store, enrolment: &Enrolment) -> Result<(), AgentError> {
        let Some(known) = load::<Enrolment>(store, ENROLMENT)? else { return Self::enrol(store, enrolment) };
        let same = [
            ("ODCM deployment", &known.deployment, &enrolment.deployment),
            ("Space", &known.space, &enrolment.space),
            ("Octopus installation", &known.installation_id, &enrolment.installation_id),
        ];
        if let Some((what, old, new)) = same.into_iter().find(|(_, old, new)| old != new) {
            return Err(AgentError::Config(format!(
                "--again: the state folder is of {what} {old}, the new enrolment of {new}; enrol with an empty --state folder"
            )));
        }
        // In this order a crash leaves the old agent without documents, which asks for them again.
        store.remove(ACCESS)?;
        store.remove(AUTHENTICATION)?;
        // The new enrolment pins the present key.
        store.remove(FLEET)?;
        let sign_in = SignIn { restored: None, ..load(store, SIGN_IN)?.unwrap_or_default() };
        store.save(SIGN_IN, &write(SIGN_IN, &sign_in)?)?;
        let floor = Floor { refused: None, ..load(store, FLOOR)?.unwrap_or_default() };
        store.save(FLOOR, &write(FLOOR, &floor)?)?;
        store.save(ENROLMENT, &write(ENROLMENT, enrolment)?)
    }

    /// Refuses a folder that holds an enrolment.
    ///
    /// # Errors
    /// [`AgentError::AlreadyEnrolled`], [`AgentError::Corrupt`], [`AgentError::Io`].
    pub fn ensure_empty(store: &dyn Store) -> Result<(), AgentError> {
        match load::<Enrolment>(store, ENROLMENT)? {
            Some(known) => Err(AgentError::AlreadyEnrolled(known.agent)),
            None => Ok(()),
        }
    }

    /// Where the agent stands in each section: the last *applied* revisions.
    #[must_use]
    pub fn positions(&self) -> Vec<Position> {
        vec![self.authentication.position(), self.access.position()]
    }

    /// The track of a section, as seen by code that needs no content.
    #[must_use]
    pub fn position(&self, section: Section) -> Option<Position> {
        self.positions().into_iter().find(|p| p.section == section)
    }

    pub(crate) fn save_access(&mut self) -> Result<(), AgentError> {
        let text = self.access.to_text(ACCESS)?;
        self.put(ACCESS, &text)
    }

    pub(crate) fn save_authentication(&mut self) -> Result<(), AgentError> {
        let text = self.authentication.to_text(AUTHENTICATION)?;
        self.put(AUTHENTICATION, &text)
    }

    pub(crate) fn save_records(&mut self) -> Result<(), AgentError> {
        let text = write(RECORDS, &self.records)?;
        self.put(RECORDS, &text)
    }

    pub(crate) fn save_sign_in(&mut self) -> Result<(), AgentError> {
        let text = write(SIGN_IN, &self.sign_in)?;
        self.put(SIGN_IN, &text)
    }

    pub(crate) fn save_fleet(&mut self) -> Result<(), AgentError> {
        let text = write(FLEET, &self.keys.held())?;
        self.put(FLEET, &text)
    }

    pub(crate) fn save_floor(&mut self) -> Result<(), AgentError> {
        let text = write(FLOOR, &self.floor)?;
        self.put(FLOOR, &text)
    }

    pub(crate) fn save_anchor(&mut self) -> Result<(), AgentError> {
        let text = write(CLOCK, &self.anchor)?;
        self.put(CLOCK, &text)
    }

    pub(crate) fn save_spool(&mut self) -> Result<(), AgentError> {
        let text = write(SPOOL, &self.spool)?;
        self.put(SPOOL, &text)
    }

    /// Writes a piece unless it is what was written last.
    fn put(&mut self, name: &'static str, text: &str) -> Result<(), AgentError> {
        let digest = Digest::of(text.as_bytes());
        if self.saved.get(name) != Some(&digest) {
            self.store.save(name, text)?;
            self.saved.insert(name, digest);
        }
        Ok(())
    }
}

fn load<T: DeserializeOwned>(store: &dyn Store, name: &str) -> Result<Option<T>, AgentError> {
    match store.load(name)? {
        None => Ok(None),
        Some(text) => serde_json::from_str(&text).map(Some).map_err(|e| corrupt(name, e)),
    }
}

fn write<T: Serialize>(name: &str, value: &T) -> Result<String, AgentError> {
    serde_json::to_string(value).map_err(|e| corrupt(name, e))
}

fn corrupt(file: &str, reason: impl std::fmt::Display) -> AgentError {
    AgentError::Corrupt { file: file.into(), reason: reason.to_string() }
}
