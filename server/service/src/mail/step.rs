//! The steps to a mail server, each with its time limit.

use std::{error::Error as StdError, net::SocketAddr, time::Duration};

use lettre::{
    Message,
    transport::smtp::{
        Error as SmtpError,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, TlsParameters},
        extension::ClientId,
    },
};
use userlock_core::settings::{Email, MailTls};

/// The names of the steps, in order.
pub const STEPS: [&str; 5] = ["resolve", "connect", "tls", "authenticate", "accepted"];

/// A name is looked up, and a connection made, within this time.
const REACH: Duration = Duration::from_secs(5);
/// What the mail server is asked it answers within this time.
const ANSWER: Duration = Duration::from_secs(10);
/// It may look at a message for longer before it accepts it.
const ACCEPT: Duration = Duration::from_secs(15);
/// Taking leave is politeness, and is given up soon.
const LEAVE: Duration = Duration::from_secs(2);
/// What a mail server says is shown up to so many characters.
const MAX_SAID: usize = 300;

/// A step that failed, by its name, with what happened and what to do.
pub type Failed = (&'static str, String);

/// Tells that a step passed, and what was found.
pub type Pass<'a> = &'a mut (dyn FnMut(&'static str, String) + Send);

/// Sends a message, and tells of each step that passed.
///
/// # Errors
/// The step that failed; then nothing was sent.
pub async fn send(email: &Email, hello: &ClientId, message: &Message, pass: Pass<'_>) -> Result<(), Failed> {
    let address = reach(email, pass).await?;
    let mut connection = protect(email, hello, address, pass).await?;
    let sent = async {
        authenticate(email, &mut connection, pass).await?;
        accept(&mut connection, message, pass).await
    };
    let result = sent.await;
    // What was accepted is accepted.
    _ = tokio::time::timeout(LEAVE, connection.quit()).await;
    result
}

/// Finds an address where the mail server listens.
async fn reach(email: &Email, pass: Pass<'_>) -> Result<SocketAddr, Failed> {
    let (server, port) = (email.server.as_str(), email.port);
    let found = tokio::time::timeout(REACH, tokio::net::lookup_host((server, port))).await;
    let addresses: Vec<_> = found
        .map_err(|_| ("resolve", format!("no name server answered for {server} within 5 s")))?
        .map_err(|e| ("resolve", format!("{server} does not resolve: {e}. Check the name, or give an address.")))?
        .collect();
    let shown: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
    pass("resolve", format!("{server} is {}", shown.join(", ")));
    let connected = tokio::time::timeout(REACH, tokio::net::TcpStream::connect(addresses.as_slice())).await;
    let connected = connected
        .map_err(|_| {
            ("connect", format!("{server}:{port} did not answer within 5 s: check the port and the firewalls."))
        })?
        .map_err(|e| {
            ("connect", format!("{server}:{port}: {e}. Check the port, and that a mail server runs there."))
        })?;
    connected.peer_addr().map_err(|e| ("connect", format!("{server}:{port}: the connection broke at once: {e}.")))
}

/// Makes the connection, protected as it should be, and hears the mail server's greeting.
async fn protect(
    email: &Email,
    hello: &ClientId,
    address: SocketAddr,
    pass: Pass<'_>,
) -> Result<AsyncSmtpConnection, Failed> {
    let parameters = || {
        TlsParameters::new_rustls(email.server.clone())
            .map_err(|e| ("tls", format!("TLS cannot be set up: {}.", said(&e))))
    };
    let from_the_start = if email.tls == MailTls::Tls { Some(parameters()?) } else { None };
    let connecting = AsyncSmtpConnection::connect_tokio1(address, None, hello, from_the_start, None);
    let connected = tokio::time::timeout(ANSWER, connecting).await;
    // With TLS from the start it is TLS that answers first, or does not.
    let (step, advice) = match email.tls {
        MailTls::Tls => ("tls", "Is this a port for STARTTLS, such as 587?"),
        MailTls::StartTls | MailTls::None => ("connect", "Is this a port for TLS from the start, such as 465?"),
    };
    if email.tls == MailTls::Tls {
        pass("connect", format!("{address} accepts connections"));
    }
    let mut connection = connected
        .map_err(|_| (step, format!("{address} took the connection and said nothing within 10 s. {advice}")))?
        .map_err(|error| {
            let text = said(&error);
            let message = match email.tls {
                MailTls::Tls if is_of_certificate(&error) => format!("TLS failed: {text}. {CERTIFICATE}"),
                MailTls::Tls => format!("TLS failed: {text}. {advice}"),
                MailTls::StartTls | MailTls::None => {
                    format!("{address} does not speak as a mail server does: {text}.")
                }
            };
            (step, message)
        })?;
    if email.tls != MailTls::Tls {
        pass("connect", format!("a mail server answers at {address}"));
    }
    match email.tls {
        MailTls::None => pass("tls", "not protected, as it is set: what is said goes in clear".to_owned()),
        MailTls::Tls => pass("tls", "TLS from the start; the certificate is valid".to_owned()),
        MailTls::StartTls => {
            if !connection.can_starttls() {
                _ = tokio::time::timeout(LEAVE, connection.quit()).await;
                let message = "the mail server offers no STARTTLS, and nothing was said without. Check the port, or choose another way under TLS.";
                return Err(("tls", message.to_owned()));
            }
            tokio::time::timeout(ANSWER, connection.starttls(parameters()?, hello))
                .await
                .map_err(|_| ("tls", "the mail server did not come to TLS within 10 s.".to_owned()))?
                .map_err(|error| {
                    let advice = if is_of_certificate(&error) { CERTIFICATE } else { "Nothing was said without it." };
                    ("tls", format!("STARTTLS failed: {}. {advice}", said(&error)))
                })?;
            pass("tls", "STARTTLS; the certificate is valid".to_owned());
        }
    }
    Ok(connection)
}

const CERTIFICATE: &str = "The certificate must be for this name, and from an authority that this machine trusts.";

async fn authenticate(email: &Email, connection: &mut AsyncSmtpConnection, pass: Pass<'_>) -> Result<(), Failed> {
    if email.user.is_empty() {
        pass("authenticate", "no account is set".to_owned());
        return Ok(());
    }
    let credentials = Credentials::new(email.user.clone(), email.password.expose().to_owned());
    let mechanisms = [Mechanism::Plain, Mechanism::Login];
    tokio::time::timeout(ANSWER, connection.auth(&mechanisms, &credentials))
        .await
        .map_err(|_| ("authenticate", "the mail server did not answer to the password within 10 s.".to_owned()))?
        .map_err(|error| {
            let advice = if error.is_client() {
                "It must offer PLAIN or LOGIN; many offer them only with TLS."
            } else {
                "Check the user and the password."
            };
            ("authenticate", format!("{} is not let in: {}. {advice}", email.user, said(&error)))
        })?;
    pass("authenticate", format!("{} is signed in", email.user));
    Ok(())
}

async fn accept(connection: &mut AsyncSmtpConnection, message: &Message, pass: Pass<'_>) -> Result<(), Failed> {
    let accepted = tokio::time::timeout(ACCEPT, connection.send(message.envelope(), &message.formatted())).await;
    let response = accepted
        .map_err(|_| {
            let limit = ACCEPT.as_secs();
            (
                "accepted",
                format!(
                    "the mail server did not answer to the message within {limit} s; whether it sends it is not known."
                ),
            )
        })?
        .map_err(|error| {
            (
                "accepted",
                format!("the mail server refused the message: {}. Check the sender and the recipient.", said(&error)),
            )
        })?;
    let answer: Vec<_> = response.message().collect();
    pass("accepted", format!("the mail server took the message: {}", shortened(&answer.join(" "))));
    Ok(())
}

/// What went wrong, without what is behind the first line of it.
fn said(error: &SmtpError) -> String {
    let chain = std::iter::successors(Some(error as &(dyn StdError + 'static)), |error| (*error).source());
    let last = chain.last().map(ToString::to_string).unwrap_or_default();
    let text = if error.status().is_some() { error.to_string() } else { last };
    shortened(text.trim_end_matches('.'))
}

/// What others say, fit to be shown: short and on one line.
fn shortened(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_SAID).collect()
}

/// Whether it is the mail server's certificate that is not right.
fn is_of_certificate(error: &SmtpError) -> bool {
    let of_certificate = |error: &rustls::Error| matches!(error, rustls::Error::InvalidCertificate(_));
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        // An I/O error has what it wraps as its inner error, and tells that one's source as its own.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let inner = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if error.downcast_ref::<rustls::Error>().or(inner).is_some_and(of_certificate) {
            return true;
        }
        next = error.source();
    }
    false
}
