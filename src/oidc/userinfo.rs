//! User information (OpenID Connect Core 1.0 §5.3), for what the ID token leaves out.

use super::{Reason, claims::Claims, json};

const MAX_ANSWER: usize = 64 * 1024;

/// Reads the answer of a userinfo endpoint: its status, its media type without parameters, its body. It has to be about
/// `sub`, the subject of the ID token: [`Reason::AnotherPerson`] where it is about somebody else, or does not say
/// (OpenID Connect Core §5.3.4). [`Reason::BadUserinfo`] where it is no JSON object of up to 64 KiB.
pub(crate) fn read_userinfo(
    status: u16,
    media_type: Option<&str>,
    body: &str,
    sub: &str,
) -> Result<Claims, Reason> {
    let is_json = media_type.is_none_or(|kind| kind == "application/json" || kind.ends_with("+json"));
    if status != 200 || !is_json || body.len() > MAX_ANSWER {
        return Err(Reason::BadUserinfo);
    }
    let claims = Claims::read(json::object(body.trim().as_bytes()).ok_or(Reason::BadUserinfo)?);
    let is_same = claims.get("sub").and_then(|named| named.as_str()) == Some(sub);
    if is_same { Ok(claims) } else { Err(Reason::AnotherPerson) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_information_is_about_the_same_person() {
        let json = Some("application/json");
        let large = format!("{{\"sub\":\"ada\",\"a\":\"{}\"}}", "a".repeat(MAX_ANSWER));
        for (status, kind, body, expected) in [
            (200, json, r#"{"sub":"ada","name":"Ada"}"#, Ok(())),
            (200, None, r#"{"sub":"ada"}"#, Ok(())),
            (200, json, r#"{"sub":"eve"}"#, Err(Reason::AnotherPerson)),
            (200, json, r#"{"name":"Ada"}"#, Err(Reason::AnotherPerson)),
            (200, json, r#"{"sub":["ada"]}"#, Err(Reason::AnotherPerson)),
            (200, json, r#"{"sub":"ada","sub":"eve"}"#, Err(Reason::BadUserinfo)),
            (200, Some("application/jwt"), "a.b.c", Err(Reason::BadUserinfo)),
            (200, Some("text/html"), r#"{"sub":"ada"}"#, Err(Reason::BadUserinfo)),
            (200, json, &large, Err(Reason::BadUserinfo)),
            (401, json, r#"{"sub":"ada"}"#, Err(Reason::BadUserinfo)),
        ] {
            assert_eq!(read_userinfo(status, kind, body, "ada").map(|_| ()), expected, "{status} {body}");
        }
    }
}
