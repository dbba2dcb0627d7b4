//! What the fields of a form were when somebody read it, who was overtaken since.

use serde_json::Value;
use userlock_core::api::{ProtectedAccountView, SectionBody};

use super::{Given, Pages, again, form_of, rules, sections, security};
use crate::{
    api::{Caller, RuleId},
    ports::SharedPorts,
    sheet::Sheet,
};

/// The values of the fields as of an `ETag`, where that is still known.
pub async fn values(pages: Pages, ports: &SharedPorts, caller: &Caller, slug: &str, etag: &str) -> Option<Given> {
    let section = async |slug: &str| -> Option<Value> {
        ports.section_before(slug.to_owned(), etag.to_owned()).await.ok().flatten()
    };
    let mut sheet = match pages {
        Pages::Properties => {
            let (spec, value) = (sections::section(slug)?, section(slug).await?);
            Sheet { form: Some(form_of(ports, spec, &value, true)), ..Sheet::default() }
        }
        Pages::Security => {
            let body = SectionBody { value: section("security").await?, etag: etag.to_owned(), read_only: None };
            security::laid_out(ports, caller, security::part_of(slug), &body, Vec::new()).ok()?
        }
        Pages::Rules => {
            let id: RuleId = slug.parse().ok()?;
            let account = ports.rule_before(id, etag.to_owned()).await.ok().flatten()?;
            rules::rule_sheet("", Some(ProtectedAccountView { account, etag: etag.to_owned() }), true, None)
        }
        Pages::History | Pages::Server | Pages::Enrolment | Pages::Account => return None,
    };
    Some(again::values(&mut sheet))
}
