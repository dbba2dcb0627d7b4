//! The sections of Properties: their titles, and what their fields are called.

mod own;

use super::spec::{GroupSpec, Of, field};

/// A section.
#[derive(Debug, Clone, Copy)]
pub struct SectionSpec {
    /// Its name in addresses.
    pub slug: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// What it is about.
    pub note: &'static str,
    /// Its fields.
    pub groups: &'static [GroupSpec],
}

/// The sections that are one form. Security is more than that, and on the page of Synchronization there is more beside it.
pub const SECTIONS: &[SectionSpec] = &[
    SectionSpec {
        slug: "general",
        title: "General",
        note: "",
        groups: &[GroupSpec {
            heading: "Protected zone",
            note: "",
            fields: &[
                field("zone_name", "Name", "", Of::Text(64)),
                field(
                    "policy",
                    "Policy between rules",
                    "",
                    Of::Choice(&[
                        ("most_restrictive", "most restrictive: the lower limit wins"),
                        ("least_restrictive", "least restrictive: the higher limit wins"),
                    ]),
                ),
                field("offline_policy", "Offline policy of agents", "When no server answers.", Of::OfflinePolicy),
                field(
                    "offline_days",
                    "Seen in the last days",
                    "For \u{201c}allow users seen on the machine\u{201d}.",
                    Of::OfflineDays,
                ),
                field(
                    "log_off_disallowed",
                    "Sessions that become disallowed",
                    "",
                    Of::Check("are logged off when a rule changes"),
                )
                .later(),
                field("time_zone", "Time zone", "Its name, such as Europe/Paris.", Of::Text(64)).later(),
                field(
                    "realms",
                    "Realms that are one",
                    "One set a line, with commas: CORP, corp.example",
                    Of::Sets(20_000),
                ),
            ],
        }],
    },
    own::SYNCHRONIZATION,
    SectionSpec {
        slug: "agents",
        title: "Agents",
        note: "What every agent of the zone goes by. It learns a change with its next heartbeat.",
        groups: &[
            GroupSpec {
                heading: "Enrolment",
                note: "",
                fields: &[field(
                    "enrolment_key",
                    "Enrolment key",
                    "A new one is made below, or by \u{201c}userlock enrolment\u{201d} on the Primary, and told once.",
                    Of::Fact,
                )],
            },
            GroupSpec {
                heading: "Signs of life",
                note: "",
                fields: &[
                    field(
                        "heartbeat_seconds",
                        "Heartbeat",
                        "Seconds between two, of an agent that has nothing to say.",
                        Of::Number(1, 3600),
                    )
                    .of_unit("s"),
                    field(
                        "unconfirmed_after_seconds",
                        "Unconfirmed after",
                        "Seconds of silence after which a machine's sessions are shown as unconfirmed.",
                        Of::Number(2, 86_400),
                    )
                    .of_unit("s"),
                ],
            },
            GroupSpec {
                heading: "Contact",
                note: "",
                fields: &[
                    field(
                        "contact_order",
                        "Contact order",
                        "",
                        Of::Choice(&[
                            ("primary_first", "the Primary; the Backup when it fails"),
                            ("backup_first", "the Backup; the Primary when it fails"),
                        ]),
                    ),
                    field(
                        "ask_backup_after_ms",
                        "Ask the other server after",
                        "Milliseconds without an answer of the preferred one.",
                        Of::Number(10, 10_000),
                    )
                    .of_unit("ms"),
                    field(
                        "give_up_after_ms",
                        "Give up after",
                        "Milliseconds until the offline policy decides.",
                        Of::Number(100, 30_000),
                    )
                    .of_unit("ms"),
                    field(
                        "spool_cap",
                        "Spool",
                        "The most events that an agent keeps on its disk until both servers have them.",
                        Of::Number(100, 10_000_000),
                    )
                    .of_unit("events"),
                ],
            },
        ],
    },
    SectionSpec {
        slug: "messages",
        title: "Messages",
        note: "What users see at a logon that is refused. A word in braces is replaced; clear a field to get its default back.",
        groups: &[GroupSpec {
            heading: "Texts",
            note: "",
            fields: &[
                field(
                    "logon_denied",
                    "A rule refuses",
                    "{reason} says which rule and what is open where; {user}, {machine}, {zone}.",
                    Of::Lines(1000),
                ),
                field(
                    "offline_denied",
                    "No server answers, and the offline policy refuses",
                    "{user}, {machine}, {zone}.",
                    Of::Lines(1000),
                ),
            ],
        }],
    },
    own::EMAIL,
    own::DATABASE,
    SectionSpec {
        slug: "notifications",
        title: "Notifications",
        note: "Who is to be told of which events of the product, by e-mail. Kept and shown; nothing is sent yet.",
        groups: &[GroupSpec {
            heading: "Who and what",
            note: "",
            fields: &[field("recipients", "Recipients", "One address a line.", Of::List(20_000))],
        }],
    },
    SectionSpec {
        slug: "retention",
        title: "Retention",
        note: "How long what has happened is kept.",
        groups: &[GroupSpec {
            heading: "Kept for",
            note: "",
            fields: &[
                field("closed_sessions_hours", "Closed sessions", "Hours.", Of::Number(1, 8784)).of_unit("hours"),
                field("event_log_days", "Session events", "Days.", Of::Number(1, 3660)).of_unit("days").later(),
                field("application_log_days", "Application log", "Days.", Of::Number(1, 3660)).of_unit("days"),
            ],
        }],
    },
];

/// The section of a slug.
#[must_use]
pub fn section(slug: &str) -> Option<&'static SectionSpec> {
    SECTIONS.iter().find(|section| section.slug == slug)
}

/// What a section is called, by its slug or by its name in the settings.
#[must_use]
pub fn title_of(name: &str) -> &str {
    match name {
        "security" => "Security",
        "protected-accounts" | "protected_accounts" => "Protected accounts",
        "email" => "E-mail",
        name => section(name).map_or(name, |section| section.title),
    }
}
