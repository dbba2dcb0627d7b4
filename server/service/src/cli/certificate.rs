//! `userlock certificate`.

use std::fmt::Write as _;

use clap::Subcommand;
use reqwest::Method;
use userlock_core::api::{CertificateView, CertificatesView, UseCertificate};

use super::{ConfigArg, Outcome, local::Local, print};
use crate::config::Config;

/// `userlock certificate`.
#[derive(Debug, clap::Args)]
pub struct CertificateArgs {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show the certificate in use, the next one, and who knows it
    Show,
    /// Make the next certificate, and announce it to the other server and to agents
    Prepare {
        /// Why; it is kept
        #[arg(long)]
        reason: String,
    },
    /// Use the next certificate from now on
    Use {
        /// Why; it is kept
        #[arg(long)]
        reason: String,
        /// Although not everybody knows it: who does not cannot reach this server until told otherwise
        #[arg(long)]
        at_once: bool,
    },
    /// Give the next certificate up
    Discard {
        /// Why; it is kept
        #[arg(long)]
        reason: String,
    },
}

/// Asks the running server of this machine.
pub async fn certificate(args: CertificateArgs) -> Outcome {
    let local = Local::new(&Config::load(&args.config.config)?, None)?;
    let with_reason = async |call: &str, reason: String| {
        let body = serde_json::json!({ "reason": reason });
        local.call(Method::POST, &format!("/api/v1/certificate/{call}"), Some(&body)).await
    };
    let view: CertificatesView = match args.what {
        What::Show => local.get("/api/v1/certificate").await?,
        What::Prepare { reason } => with_reason("prepare", reason).await?,
        What::Discard { reason } => with_reason("discard", reason).await?,
        What::Use { reason, at_once } => {
            let body = UseCertificate { reason, at_once };
            local.call(Method::POST, "/api/v1/certificate/use", Some(&body)).await?
        }
    };
    print(&describe(&view))
}

fn describe(view: &CertificatesView) -> String {
    let mut text = one("in use", &view.present);
    if let Some(next) = &view.next {
        text.push_str(&one("next", next));
        let known = view.agents_in_touch.saturating_sub(view.agents_lacking);
        // Writing to a String never fails.
        _ = writeln!(text, "  known to      {known} of {} machines in touch", view.agents_in_touch);
        let waits = if view.waits_for.is_empty() { "nobody".to_owned() } else { view.waits_for.join("; ") };
        _ = writeln!(text, "  waits for     {waits}");
    }
    text
}

fn one(what: &str, certificate: &CertificateView) -> String {
    let end = certificate.not_after.and_then(chrono::DateTime::from_timestamp_millis);
    let end = end.map_or_else(|| "not known".to_owned(), |at| at.format("%Y-%m-%d").to_string());
    format!(
        "{what}\n  sha256        {}\n  names         {}\n  good until    {end}\n",
        certificate.fingerprint,
        certificate.names.join(", ")
    )
}
