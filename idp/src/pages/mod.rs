//! Pages: typed templates over minijinja, themes that override file by file at run time, locales, static files, and the
//! security headers of every answer that a browser shows.
//!
//! May use: `core`, `crypto`, config types, `http`. How to write a page: `docs/dev/pages.md`.
//!
//! Example: `pages::show(&deps, &ctx).status(StatusCode::OK).page(&SignedOut {})`.

mod assets;
mod common;
mod engine;
pub mod headers;
mod locale;
mod show;
mod theme;

pub use assets::routes;
pub use common::{Action, Message, fault, message, not_found, onward};
pub use engine::Pages;
pub use locale::Locales;
pub use show::{NavGroup, NavItem, Show, Signed, see_other, show, with_flash};

/// A page: what its template sees as `page`. Register it with [`crate::page!`], so that a test renders its samples in
/// all locales.
pub trait Page: serde::Serialize {
    /// Name of the template under `templates/`.
    const TEMPLATE: &'static str;
    /// Values that together reach every branch of the template.
    fn samples() -> Vec<Self>
    where
        Self: Sized;
}

/// A registered page: its template and its samples as JSON.
#[derive(Debug)]
pub struct Registered {
    /// Name of the template.
    pub template: &'static str,
    /// Samples.
    pub samples: fn() -> Vec<serde_json::Value>,
}

/// All registered pages.
#[linkme::distributed_slice]
pub static PAGES: [Registered];

/// Samples of a page as JSON.
#[must_use]
pub fn samples_of<P: Page>() -> Vec<serde_json::Value> {
    P::samples().iter().filter_map(|s| serde_json::to_value(s).ok()).collect()
}

/// Registers a [`Page`] for the test that renders everything.
#[macro_export]
macro_rules! page {
    ($page:ty) => {
        const _: () = {
            #[allow(unsafe_code, reason = "the slice is gathered by the linker; linkme writes the attribute")]
            #[linkme::distributed_slice($crate::pages::PAGES)]
            static PAGE: $crate::pages::Registered = $crate::pages::Registered {
                template: <$page as $crate::pages::Page>::TEMPLATE,
                samples: $crate::pages::samples_of::<$page>,
            };
        };
    };
}

#[cfg(test)]
mod tests;
