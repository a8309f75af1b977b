//! One macro writes a section: the serde struct that refuses unknown keys, its defaults, and the list of keys with their
//! documentation from which the template and the reference are generated.

/// A documented key of a section.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Name within the section.
    pub name: &'static str,
    /// What it is, its unit, what is right.
    pub doc: &'static [&'static str],
    /// A secret: may be given as `NAME_file`, is never printed.
    pub secret: bool,
}

macro_rules! section {
    ($section:literal $(#[doc = $about:literal])* $struct:ident {
        $( $(#[doc = $doc:literal])* $(@$secret:ident)? $name:ident: $ty:ty = $default:expr; )*
    }) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $struct { $( $(#[doc = $doc])* pub $name: $ty, )* }

        impl Default for $struct {
            fn default() -> Self { Self { $( $name: $default, )* } }
        }

        impl $struct {
            /// Name of the section.
            pub const SECTION: &'static str = $section;
            /// What the section is about.
            pub const ABOUT: &'static [&'static str] = &[$($about),*];
            /// Its keys, in order.
            pub const KEYS: &'static [$crate::config::section::Key] = &[ $(
                $crate::config::section::Key {
                    name: stringify!($name),
                    doc: &[$($doc),*],
                    secret: section!(@is $($secret)?),
                },
            )* ];
        }
    };
    (@is secret) => { true };
    (@is) => { false };
}
pub(super) use section;
