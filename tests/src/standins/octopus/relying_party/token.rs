//! The token request: client secret in the form, redirect URI rebuilt from the `Host` header, an answer that
//! must be a flat map of texts.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::standins::octopus::server::App;

use super::{Provider, discovery::Discovery};

/// Redeems a code; answers the id_token.
///
/// # Errors
/// The server's sentence.
pub async fn redeem(
    app: &App,
    provider: &Provider,
    discovery: &Discovery,
    code: &str,
    redirect_uri: &str,
    verifier: &str,
) -> Result<String, String> {
    let (client_id, secret) = {
        let state = app.read();
        (provider.text(&state, "ClientId").unwrap_or_default(), provider.text(&state, "ClientSecret").unwrap_or_default())
    };
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri),
        ("client_id", &client_id),
        ("client_secret", &secret),
        ("code_verifier", verifier),
    ];
    let failed = |error: &dyn std::fmt::Display| format!("User login failed: {error}");
    let answer =
        app.relying_party.http.post(&discovery.token_endpoint).form(&form).send().await.map_err(|error| failed(&error))?;
    // The status is not looked at, only the body.
    let body = answer.bytes().await.map_err(|error| failed(&error))?;
    let fields = flat(&body)?;
    if let Some(error) = fields.get("error") {
        let description = fields.get("error_description");
        let description =
            description.ok_or("User login failed: The given key 'error_description' was not present in the dictionary.")?;
        tracing::info!(error, description, "the provider refused a code");
        return Err(format!("The response from the external identity provider contained an error: {error}"));
    }
    fields
        .get("id_token")
        .cloned()
        .ok_or_else(|| "User login failed: The given key 'id_token' was not present in the dictionary.".into())
}

/// Reads a flat map: texts, numbers, booleans; an object or a list makes the whole answer unreadable.
fn flat(body: &[u8]) -> Result<BTreeMap<String, String>, String> {
    let wrong = |what: &str| format!("User login failed: the token response cannot be read ({what})");
    let Ok(Value::Object(map)) = serde_json::from_slice::<Value>(body) else { return Err(wrong("it is not a JSON object")) };
    let mut fields = BTreeMap::new();
    for (name, value) in map {
        let text = match value {
            Value::String(text) => text,
            Value::Object(_) | Value::Array(_) => return Err(wrong(&format!("{name} is not a text"))),
            Value::Null => continue,
            other => other.to_string(),
        };
        fields.insert(name, text);
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_flat_answers_are_read() {
        let fields = flat(br#"{"id_token":"x","expires_in":300,"refresh_token":null}"#).unwrap();
        assert_eq!(fields["expires_in"], "300");
        assert!(!fields.contains_key("refresh_token"));
        assert!(flat(br#"{"id_token":"x","scopes":["a"]}"#).unwrap_err().contains("scopes"));
        assert!(flat(b"[]").is_err() && flat(b"oops").is_err());
    }
}
