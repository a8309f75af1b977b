//! Configuration: one serde struct per section, unknown keys refused with the nearest right name, validated into typed
//! [`Settings`]. Everything else of the program sees `Settings` only.
//!
//! May use: `core`. Example: `Settings::development("http://localhost:8080")`.

mod settings;

pub use settings::{PublicUrl, PushSettings, Settings, SignInSettings, TokenSettings};
