//! The template and the reference, generated from the sections, so that they cannot drift.

use super::file::{File, SECTIONS};
use std::fmt::Write;
use toml::{Table, Value};

fn default_of(defaults: &Table, section: &str, name: &str) -> Option<Value> {
    defaults.get(section).and_then(|s| s.get(name)).cloned()
}

/// A configuration file with every key, its documentation and its default, commented out.
#[must_use]
pub fn template() -> String {
    let defaults = Table::try_from(File::default()).unwrap_or_default();
    let mut out =
        String::from("# Configuration of ODCM. Every key can also be given as ODCM__SECTION__KEY in the environment.\n");
    for (section, about, keys) in SECTIONS {
        let _ = writeln!(out, "\n#{}\n[{section}]", about.join("\n#"));
        for key in *keys {
            let _ = writeln!(out, "#{}", key.doc.join("\n#"));
            let value = default_of(&defaults, section, key.name).map_or_else(|| "\"\"".to_owned(), |v| v.to_string());
            let _ = writeln!(out, "#{} = {value}", key.name);
        }
    }
    out
}

/// The reference for operators, in Markdown.
#[must_use]
pub fn markdown() -> String {
    let defaults = Table::try_from(File::default()).unwrap_or_default();
    let mut out = String::from(
        "# Configuration reference\n\nGenerated from the code by `odcm config reference`; a test keeps this file true.\n\n\
         ODCM reads one TOML file (`odcm serve --config FILE`), then the environment: `ODCM__SECTION__KEY` overrides `key` in\n\
         `[section]`. A key marked *secret* can also be given as `key_file` or `ODCM__SECTION__KEY_FILE`: the path of a file with\n\
         the value. Unknown names are refused with the nearest right one. `odcm config check` says what is wrong;\n\
         `odcm config template` prints a file to start from.\n",
    );
    for (section, about, keys) in SECTIONS {
        let _ = write!(out, "\n## [{section}]\n\n{}\n\n| key | default | meaning |\n|---|---|---|\n", about.join(" ").trim());
        for key in *keys {
            let value = default_of(&defaults, section, key.name).map_or_else(|| "none".to_owned(), |v| format!("`{v}`"));
            let secret = if key.secret { " *Secret.*" } else { "" };
            let _ = writeln!(out, "| `{}` | {value} | {}{secret} |", key.name, key.doc.join("").trim().replace('|', "\\|"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_template_is_a_valid_file_with_every_key() {
        let text = super::template();
        assert!(text.parse::<toml::Table>().is_ok());
        let uncommented: String = text
            .lines()
            .map(|l| l.strip_prefix('#').filter(|l| !l.starts_with(' ')).unwrap_or(l))
            .fold(String::new(), |all, l| all + l + "\n");
        let table = uncommented.parse::<toml::Table>().unwrap();
        for (section, _, keys) in super::SECTIONS {
            assert_eq!(table[*section].as_table().unwrap().len(), keys.len(), "{section}");
        }
    }

    #[test]
    fn the_reference_in_the_docs_is_the_generated_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
        let file = std::fs::read_to_string(path).unwrap();
        assert!(file == super::markdown(), "run `odcm config reference > docs/configuration.md`");
    }
}
