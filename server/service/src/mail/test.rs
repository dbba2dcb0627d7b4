//! "Send a test": a real message, and what came of each step.

use lettre::{
    Message,
    message::{Mailbox, header::ContentType},
    transport::smtp::extension::ClientId,
};
use userlock_core::{
    api::{Check, TestReport},
    settings::{Email, FieldError},
};

use super::step::{STEPS, send};

/// Reads the address of a sender or a recipient.
///
/// # Errors
/// [`FieldError`].
pub fn mailbox(field: &str, text: &str) -> Result<Mailbox, FieldError> {
    text.parse()
        .map_err(|_| FieldError::new(field, "must be an address such as name@example.com, or Name <name@example.com>"))
}

/// Sends a test message. `host` is the name by which this server greets; `about` says in words who sends it.
///
/// # Errors
/// [`FieldError`] when the sender or the recipient cannot be so; then nothing was tried.
pub async fn test(email: &Email, to: &str, host: &str, about: &str) -> Result<TestReport, FieldError> {
    let body = format!(
        "This is a test of the e-mail settings of {about}.\r\n\r\nNothing has happened, and nothing is to be done.\r\n"
    );
    let message = Message::builder()
        .from(mailbox("from", &email.from)?)
        .to(mailbox("to", to)?)
        .subject("UserLock: test of the e-mail settings")
        .header(ContentType::TEXT_PLAIN)
        .body(body)
        .map_err(|error| FieldError::new("from", format!("no message can be made with it: {error}")))?;
    let hello = match host.trim_matches(['[', ']']).parse() {
        Ok(std::net::IpAddr::V4(address)) => ClientId::Ipv4(address),
        Ok(std::net::IpAddr::V6(address)) => ClientId::Ipv6(address),
        Err(_) => ClientId::Domain(host.to_owned()),
    };
    let mut checks: Vec<Check> = Vec::new();
    let mut pass = |name: &'static str, detail: String| {
        checks.push(Check { name: name.to_owned(), ok: Some(true), detail });
    };
    if let Err((name, detail)) = send(email, &hello, &message, &mut pass).await {
        checks.push(Check { name: name.to_owned(), ok: Some(false), detail });
    }
    for name in STEPS {
        if !checks.iter().any(|check| check.name == name) {
            let detail = "not checked: one before it failed".to_owned();
            checks.push(Check { name: name.to_owned(), ok: None, detail });
        }
    }
    checks.sort_by_key(|check| STEPS.iter().position(|name| *name == check.name));
    Ok(TestReport { ok: checks.iter().all(|check| check.ok == Some(true)), checks })
}
