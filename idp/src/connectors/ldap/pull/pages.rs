//! Long lists, a page at a time.

use crate::connectors::ldap::conn::{Connection, Item};
use crate::connectors::ldap::control::{PAGED, next_page, paged};
use crate::connectors::ldap::error::Error;
use crate::connectors::ldap::proto::{Entry, Outcome, Search};
use std::time::Duration;
use tokio::time::Instant;

/// Most pages in a row without an entry.
const EMPTY_PAGES: u32 = 100;

/// Smallest page that is made smaller still.
const SMALLEST: u32 = 20;

/// What comes next.
#[derive(Debug)]
pub enum Next {
    /// An entry.
    Entry(Entry),
    /// A page is over: the connection is free for other questions until the next one.
    PageOver,
    /// The list is over.
    Over,
}

enum At {
    BetweenPages,
    InPage,
    Over,
}

/// A list.
pub struct Pages {
    search: Search,
    size: Option<u32>,
    cookie: Vec<u8>,
    at: At,
    empty: u32,
    /// Something was sent.
    begun: bool,
    end: Instant,
    think: Duration,
    last: Option<Outcome>,
}

impl Pages {
    /// A list in pages of `size`, or all at once where the server knows no pages.
    #[must_use]
    pub fn new(search: Search, size: Option<u32>, end: Instant) -> Self {
        Self {
            search,
            size,
            cookie: Vec::new(),
            at: At::BetweenPages,
            empty: 0,
            begun: false,
            end,
            think: Duration::ZERO,
            last: None,
        }
    }

    /// Gives the server more time before each entry.
    #[must_use]
    pub fn thinking(mut self, time: Duration) -> Self {
        self.think = time;
        self
    }

    /// How the last page ended.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.last.as_ref()
    }

    /// Goes on.
    ///
    /// # Errors
    /// Any.
    pub async fn next(&mut self, conn: &mut Connection) -> Result<Next, Error> {
        if matches!(self.at, At::Over) {
            return Ok(Next::Over);
        }
        if matches!(self.at, At::BetweenPages) {
            let page = self.size.map(|size| paged(size, &self.cookie));
            let search = page.map_or_else(|| self.search.clone(), |control| self.search.clone().with(control));
            conn.search(&search).await?;
            self.at = At::InPage;
            self.empty += 1;
        }
        loop {
            match conn.item((conn.deadline() + self.think).min(self.end)).await? {
                Item::Entry(entry) => {
                    self.empty = 0;
                    self.begun = true;
                    return Ok(Next::Entry(entry));
                }
                Item::Between(..) if Instant::now() >= self.end => return Err(Error::Slow(conn.host().to_owned(), 0)),
                Item::Between(..) => {}
                Item::Done(outcome) => {
                    let next = self.page_over(conn, &outcome);
                    self.last = Some(outcome);
                    return next;
                }
            }
        }
    }

    fn page_over(&mut self, conn: &Connection, outcome: &Outcome) -> Result<Next, Error> {
        if outcome.code == 4 {
            let words = format!("{} ends a list before it is complete (code 4), and has no pages, or limits them", conn.host());
            return Err(Error::TooMuch(words));
        }
        // the page is larger than the server's administrator allows, who does not say what is
        if let (11, false, Some(size @ SMALLEST..)) = (outcome.code, self.begun, self.size) {
            self.size = Some(size / 2);
            self.at = At::BetweenPages;
            return Ok(Next::PageOver);
        }
        if outcome.code != 0 {
            return Err(Error::refused(outcome.code, &outcome.text));
        }
        self.cookie = match outcome.control(PAGED).filter(|_| self.size.is_some()) {
            Some(value) => next_page(value)?,
            None => Vec::new(),
        };
        if self.empty > EMPTY_PAGES {
            return Err(Error::Nonsense(format!("{} sends empty pages without end", conn.host())));
        }
        self.at = if self.cookie.is_empty() { At::Over } else { At::BetweenPages };
        Ok(Next::PageOver)
    }
}
