//! Replacing this server's certificate.

use userlock_core::api::CertificatesView;

use super::pair::typed_reason;
use crate::{
    http::{
        problem::{self, Answer, Refusal},
        state::App,
    },
    log::{catalogue, details},
    tls::{Certificates, KeeperError, Known},
};

impl App {
    fn certificates(&self) -> Answer<&Certificates> {
        self.certificates.as_ref().ok_or_else(|| {
            let detail = "This server speaks plain HTTP, on this machine only: it has no certificate.";
            problem::conflict("plain_http", "No certificate", detail)
        })
    }

    /// The certificates of this server, and who knows them.
    ///
    /// # Errors
    /// 409 with plain HTTP.
    pub fn certificates_view(&self) -> Answer<CertificatesView> {
        Ok(self.certificates_now(self.certificates()?))
    }

    /// Makes the next certificate and announces it. The one in use stays.
    ///
    /// # Errors
    /// 409 when there is one already, or where the configuration names files; 422; 503.
    pub async fn prepare_certificate(&self, by: &str, reason: &str) -> Answer<CertificatesView> {
        let certificates = self.certificates()?;
        let reason = typed_reason(reason)?;
        let (url, by, reason) = (self.public_url.clone(), by.to_owned(), reason.to_owned());
        let tell = move |next: &Known| {
            let message =
                format!("{by} made the next certificate of this server, sha256 {}. It is announced.", next.fingerprint);
            let more = details([("by", &by), ("fingerprint", &next.fingerprint), ("reason", &reason)]);
            Some((catalogue::CERTIFICATE_PREPARED, message, more))
        };
        self.change_certificates(certificates, move |all| all.prepare(&url), tell).await.map_err(refused)?;
        self.certificates_view()
    }

    /// Uses the next certificate from now on; `at_once`: although not everybody knows it.
    ///
    /// # Errors
    /// 409 when there is none, or somebody does not know it yet; 422; 503.
    pub async fn use_certificate(&self, by: &str, reason: &str, at_once: bool) -> Answer<CertificatesView> {
        let certificates = self.certificates()?;
        let reason = typed_reason(reason)?;
        let view = self.certificates_view()?;
        let next = view.next.ok_or_else(|| refused(KeeperError::NoNext))?.fingerprint;
        if !view.waits_for.is_empty() && !at_once {
            let detail = format!(
                "Not everybody knows the next certificate: {}. They could not reach this server any more. Wait, or say that it is to be used at once. Nothing was changed.",
                view.waits_for.join("; ")
            );
            return Err(problem::conflict("not_known_everywhere", "Not everybody knows it yet", detail));
        }
        self.replace_certificate(certificates, next, by, reason).await.map_err(refused)?;
        self.certificates_view()
    }

    /// Gives the next certificate up.
    ///
    /// # Errors
    /// 409 when there is none, or it comes from the files that the configuration names; 422; 503.
    pub async fn discard_certificate(&self, by: &str, reason: &str) -> Answer<CertificatesView> {
        let certificates = self.certificates()?;
        let reason = typed_reason(reason)?;
        let (by, reason) = (by.to_owned(), reason.to_owned());
        let tell = move |fingerprint: &String| {
            let message = format!("{by} gave up the next certificate of this server, sha256 {fingerprint}.");
            let more = details([("by", &by), ("fingerprint", fingerprint), ("reason", &reason)]);
            Some((catalogue::CERTIFICATE_DISCARDED, message, more))
        };
        self.change_certificates(certificates, Certificates::discard, tell).await.map_err(refused)?;
        self.certificates_view()
    }
}

fn refused(error: KeeperError) -> Refusal {
    match &error {
        KeeperError::NextIsThere => {
            let detail = "There is a next certificate already. Use it, or give it up first. Nothing was changed.";
            problem::conflict("next_is_there", "There is one already", detail)
        }
        KeeperError::NoNext => {
            let detail = "There is no next certificate: make one first. Nothing was changed.";
            problem::conflict("no_next", "No next certificate", detail)
        }
        KeeperError::Given => {
            let detail = "The certificate comes from the files that the configuration names (tls.cert, tls.key). Put another one there: it is announced within half a minute, and used when everybody knows it. Nothing was changed.";
            problem::conflict("from_files", "The certificate comes from files", detail)
        }
        KeeperError::Tls(_) | KeeperError::Aside(_) | KeeperError::Another { .. } | KeeperError::CutOff => {
            problem::unavailable("certificate", format!("{error}. The certificate in use stays."))
        }
    }
}
