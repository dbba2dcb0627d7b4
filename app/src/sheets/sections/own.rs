//! The sections that each server has for itself.

use super::SectionSpec;
use crate::sheets::spec::{GroupSpec, Of, field};

/// How a Backup synchronizes.
pub const SYNCHRONIZATION: SectionSpec = SectionSpec {
    slug: "synchronization",
    title: "Synchronization",
    note: "",
    groups: &[GroupSpec {
        heading: "Primary server",
        note: "",
        fields: &[
            field(
                "primary_url",
                "Address",
                "An http:// address, of this machine alone: administrators only.",
                Of::Text(512),
            ),
            field(
                "primary_fingerprint",
                "Certificate",
                "The SHA-256 of the Primary's; none with plain HTTP. It follows by itself when the Primary replaces it: change it only when this server was away then, after you have compared it. Administrators only.",
                Of::Text(128),
            ),
            field("service_account", "Service account", "", Of::Fact),
            field("enabled", "Scheduled synchronization", "", Of::Check("enabled")),
            field("interval_seconds", "Interval", "Between two scheduled runs.", Of::Interval),
            field("unit", "Unit of the interval", "", Of::IntervalUnit("interval_seconds")),
            field("continuous", "Continuous", "", Of::Check("also between two runs")),
        ],
    }],
};

/// How a server sends mail.
pub const EMAIL: SectionSpec = SectionSpec {
    slug: "email",
    title: "E-mail settings for notifications",
    note: "How this server sends mail. Each server has its own; nothing is sent by them yet but the test.",
    groups: &[
        GroupSpec {
            heading: "Mail server",
            note: "",
            fields: &[
                field("server", "Server", "Its name or address; empty: none.", Of::Text(255)),
                field("port", "Port", "", Of::Number(1, 65_535)),
                field(
                    "tls",
                    "TLS",
                    "",
                    Of::Choice(&[
                        ("starttls", "STARTTLS: begun in clear, then by TLS"),
                        ("tls", "TLS from the start"),
                        ("none", "none: all in clear, the password too"),
                    ]),
                ),
            ],
        },
        GroupSpec {
            heading: "Sender",
            note: "",
            fields: &[
                field("from", "From", "name@example.com or Name <name@example.com>", Of::Text(320)),
                field("user", "User", "The account at the mail server; empty: none.", Of::Text(256)),
                field("password", "Password", "Empty: as it is.", Of::Secret),
            ],
        },
    ],
};

/// Where a server archives.
pub const DATABASE: SectionSpec = SectionSpec {
    slug: "database",
    title: "Database",
    note: "Where this server archives session events for reports. Each server has its own, and two servers never use one. Nothing is archived yet: the database is opened, checked and kept ready.",
    groups: &[
        GroupSpec {
            heading: "Database",
            note: "",
            fields: &[
                field(
                    "kind",
                    "Kind",
                    "",
                    Of::Choice(&[
                        ("off", "off"),
                        ("sqlite", "SQLite: a file on this machine"),
                        ("postgres", "PostgreSQL"),
                    ]),
                ),
                field("retention_days", "Retention", "Days for which archived events are kept.", Of::Number(1, 3660))
                    .of_unit("days"),
            ],
        },
        GroupSpec {
            heading: "SQLite",
            note: "",
            fields: &[field("file", "File", "A relative path begins at the data directory.", Of::Text(1024))],
        },
        GroupSpec {
            heading: "PostgreSQL",
            note: "",
            fields: &[
                field("host", "Host", "", Of::Text(255)),
                field("port", "Port", "", Of::Number(1, 65_535)),
                field("name", "Database's name", "", Of::Text(63)),
                field("user", "User", "", Of::Text(63)),
                field("password", "Password", "Empty: as it is.", Of::Secret),
                field(
                    "tls",
                    "TLS",
                    "",
                    Of::Choice(&[
                        ("prefer", "if the server has it; by whatever certificate"),
                        ("require", "in any case; by whatever certificate"),
                        ("verify_full", "in any case; the certificate must be valid for the host"),
                        ("disable", "none"),
                    ]),
                ),
            ],
        },
    ],
};
