//! The template engine: one environment per language, strict about undefined values, escaping everything. A broken
//! override is logged, and the page of the default theme is shown instead.

use super::locale::{LiveLocales, Locales};
use super::theme::Theme;
use crate::core::Timestamp;
use crate::http::Lang;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, TemplateSource, UndefinedBehavior};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Renders pages. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pages(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    theme: Theme,
    locales: LiveLocales,
    themed: BTreeMap<String, Environment<'static>>,
    plain: BTreeMap<String, Environment<'static>>,
}

impl Pages {
    /// For a theme.
    #[must_use]
    pub fn new(theme: Theme) -> Self {
        let build = |theme: &Theme| {
            let live = LiveLocales::new(theme.clone());
            let tags: Vec<String> = live.get().tags().map(str::to_owned).collect();
            tags.into_iter().map(|tag| (tag.clone(), environment(theme, &live, &tag))).collect::<BTreeMap<_, _>>()
        };
        let themed = build(&theme);
        let plain = build(&Theme::embedded());
        Self(Arc::new(Inner { locales: LiveLocales::new(theme.clone()), theme, themed, plain }))
    }

    /// As settings say.
    #[must_use]
    pub fn from_settings(settings: &crate::config::Settings) -> Self {
        Self::new(Theme::new(settings.themes.clone(), &settings.theme))
    }

    /// The theme.
    #[must_use]
    pub fn theme(&self) -> &Theme {
        &self.0.theme
    }

    /// The sentences.
    #[must_use]
    pub fn locales(&self) -> Arc<Locales> {
        self.0.locales.get()
    }

    /// The language for a chosen tag and an `Accept-Language`.
    #[must_use]
    pub fn pick_language(&self, chosen: Option<&str>, accepted: Option<&str>) -> Lang {
        self.0.locales.get().pick(chosen, accepted)
    }

    /// A sentence.
    #[must_use]
    pub fn say(&self, lang: &Lang, key: &str, values: &[(&str, String)]) -> String {
        self.0.locales.get().say(&lang.0, key, values)
    }

    /// Renders a template.
    ///
    /// # Errors
    /// The engine's words, for the log.
    pub fn render(&self, lang: &Lang, template: &str, context: Value) -> Result<String, String> {
        let run = |set: &BTreeMap<String, Environment<'static>>| {
            let env = set.get(&lang.0).or_else(|| set.get(super::locale::FALLBACK)).ok_or("no such language")?;
            let template = env.get_template(template).map_err(|e| full(&e))?;
            template.render(context.clone()).map_err(|e| full(&e))
        };
        match run(&self.0.themed) {
            Err(error) if self.0.theme.can_change() => {
                tracing::error!(template, error, "a template of the theme is broken; the default one is shown");
                run(&self.0.plain)
            }
            other => other,
        }
    }
}

fn full(error: &Error) -> String {
    let mut text = format!("{error}");
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

fn environment(theme: &Theme, locales: &LiveLocales, tag: &str) -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::Html);
    env.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().unwrap_or_default());
    let files = theme.clone();
    env.set_loader(move |name| {
        let path = format!("templates/{name}");
        let Some(text) = files.text(&path) else { return Ok(None) };
        let source = TemplateSource::new(text);
        if !files.can_change() {
            return Ok(Some(source));
        }
        let (files, stamp) = (files.clone(), files.stamp(&path));
        Ok(Some(source.with_uptodate_check(move || files.stamp(&path) == stamp)))
    });
    let (live, lang) = (locales.clone(), tag.to_owned());
    env.add_function("t", move |key: &str, values: Kwargs| {
        let names: Vec<String> = values.args().map(str::to_owned).collect();
        let filled = names.iter().map(|n| Ok((n.as_str(), values.get::<Value>(n)?.to_string())));
        let filled = filled.collect::<Result<Vec<_>, Error>>()?;
        Ok::<String, Error>(live.get().say(&lang, key, &filled))
    });
    let live = locales.clone();
    let lang = tag.to_owned();
    env.add_function("has_text", move |key: &str| live.get().raw(&lang, key).is_some());
    let files = theme.clone();
    env.add_function("asset", move |name: &str| {
        super::assets::url(&files, name)
            .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("there is no file {name} in the theme")))
    });
    env.add_filter("when", |ms: i64| {
        let text = Timestamp(ms).rfc3339();
        text.get(..16).map(|t| t.replace('T', " ")).unwrap_or(text)
    });
    env.add_filter("initials", |name: &str| {
        let words: Vec<&str> = name.split([' ', '.', '-', '_', '@']).filter(|w| !w.is_empty()).take(2).collect();
        words.iter().filter_map(|w| w.chars().next()).collect::<String>()
    });
    env.add_filter("iso", |ms: i64| Timestamp(ms).rfc3339());
    let live = locales.clone();
    let lang = tag.to_owned();
    env.add_filter("ago", move |ms: i64, now: i64| {
        let seconds = (now - ms).max(0) / 1000;
        let (key, n) = match seconds {
            0..60 => ("time.now", seconds),
            60..3600 => ("time.minutes", seconds / 60),
            3600..86_400 => ("time.hours", seconds / 3600),
            _ => ("time.days", seconds / 86_400),
        };
        live.get().say(&lang, key, &[("count", n.to_string())])
    });
    env
}
