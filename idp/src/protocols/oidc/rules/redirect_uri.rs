//! RFC 6749 §3.1.2 and RFC 9700 §2.1: the redirect URI is compared byte by byte with the registered ones (but see
//! [`Client::sends_to`] for loopback ports), and required (OpenID Connect Core §3.1.2.1). Until it is found right nothing is sent anywhere: the person sees a page.

use super::parameters::Params;
use crate::core::client::Client;

/// Why nothing may be sent back to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoWayBack {
    /// `client_id` is absent, sent twice, or names no client that may sign people in.
    Client,
    /// `redirect_uri` is absent, sent twice, or not registered for the client.
    RedirectUri,
}

impl NoWayBack {
    /// A sentence for the page.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Client => "The application that sent you here is not known to this server, or was disabled (client_id).",
            Self::RedirectUri => {
                "The application asked to be answered at an address that is not registered for it (redirect_uri). Tell its administrator."
            }
        }
    }
}

/// The redirect URI of a request.
///
/// # Errors
/// [`NoWayBack::RedirectUri`].
pub fn of<'a>(params: &'a Params, client: &Client) -> Result<&'a str, NoWayBack> {
    let given = params.get("redirect_uri").filter(|_| !params.is_twice("redirect_uri")).ok_or(NoWayBack::RedirectUri)?;
    if client.sends_to(given) { Ok(given) } else { Err(NoWayBack::RedirectUri) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocols::oidc::rules::authorization::fixtures::{CALLBACK, application};

    #[test]
    fn only_the_registered_bytes_will_do() {
        let client = application();
        let encoded = |uri: &str| url::form_urlencoded::Serializer::new(String::new()).append_pair("redirect_uri", uri).finish();
        assert!(of(&Params::parse(encoded(CALLBACK).as_bytes()).unwrap(), &client).is_ok());
        for bad in [
            "https://app.example.com/cb/",
            "https://app.example.com/cb?x=1",
            "https://app.example.com/cb#",
            "https://APP.example.com/cb",
            "https://app.example.com:443/cb",
            "https://app.example.com/CB",
            "https://app.example.com/cb/../cb",
            "https://app.example.com/c%62",
            "http://app.example.com/cb",
            "https://app.example.com.evil.com/cb",
            "https://evil.com/?https://app.example.com/cb",
            "https://app.example.com",
            "//app.example.com/cb",
            "",
        ] {
            assert_eq!(of(&Params::parse(encoded(bad).as_bytes()).unwrap(), &client), Err(NoWayBack::RedirectUri), "{bad}");
        }
        let twice = format!("{0}&{0}", encoded(CALLBACK));
        assert!(of(&Params::parse(twice.as_bytes()).unwrap(), &client).is_err());
        assert!(of(&Params::default(), &client).is_err());
    }
}
