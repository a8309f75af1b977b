//! The top: the router, its middleware, and listening.
//!
//! May use: everything below. Example: `web::serve(router, listen, None, drain, stop).await`.

pub mod management;
mod serve;

pub use serve::serve;
