//! 128-bit names and hashes: lower-case hex for people and JSON, sixteen bytes between servers.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Why a text is not a 128-bit name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 32 lower-case hexadecimal digits")]
pub struct InvalidId;

/// Writes `bytes` as lower-case hexadecimal digits.
pub fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// Reads exactly 32 lower-case hexadecimal digits.
fn parse_hex(text: &str) -> Result<[u8; 16], InvalidId> {
    let digits = text.as_bytes();
    if digits.len() != 32 || !digits.iter().all(|d| matches!(d, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(InvalidId);
    }
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| InvalidId)?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| InvalidId)?;
    }
    Ok(bytes)
}

/// Serializes as hex where a person may read it, else as bytes.
fn serialize_id<S: Serializer>(bytes: [u8; 16], serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        struct Hex([u8; 16]);
        impl fmt::Display for Hex {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }
        serializer.collect_str(&Hex(bytes))
    } else {
        bytes.serialize(serializer)
    }
}

/// The reverse of [`serialize_id`].
fn deserialize_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 16], D::Error> {
    if deserializer.is_human_readable() {
        struct HexVisitor;
        impl de::Visitor<'_> for HexVisitor {
            type Value = [u8; 16];
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("32 lower-case hexadecimal digits")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<[u8; 16], E> {
                parse_hex(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(HexVisitor)
    } else {
        <[u8; 16]>::deserialize(deserializer)
    }
}

macro_rules! id128 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// All zeros: "none".
            pub const NIL: Self = Self([0; 16]);

            /// Whether this is [`Self::NIL`].
            #[must_use]
            pub fn is_nil(&self) -> bool {
                *self == Self::NIL
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse_hex(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serialize_id(self.0, serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserialize_id(deserializer).map(Self)
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .pattern(Some("^[0-9a-f]{32}$"))
                    .into()
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {}
    };
}

id128! {
    /// One incarnation of a writer of records. A server takes a new one at every start; an agent when it cannot
    /// prove that it continues its own numbering.
    OriginId
}
id128! {
    /// A server's log since one start. A new one is taken at every start.
    LogId
}
id128! {
    /// A server, for its life: drawn at set-up. Two logs with one `ServerId` are one server restarted, restored or cloned.
    ServerId
}
id128! {
    /// The protected zone, drawn when its first server is set up.
    ZoneId
}
id128! {
    /// One enrolment of an agent: the public name of its token.
    AgentId
}
id128! {
    /// One request for a decision. Asking twice with one id gets one answer.
    DecisionId
}
id128! {
    /// One command to an agent.
    CommandId
}
id128! {
    /// The random part of an epoch; two promotions that met the same number differ here.
    EpochName
}
id128! {
    /// The hash of a record and of the chain before it.
    Chain
}
id128! {
    /// A digest of a set, to be compared with another server's.
    Digest
}
id128! {
    /// The hash of a settings document and of the revision before it.
    SettingsHash
}
id128! {
    /// One run of a synchronization.
    RunId
}

/// Hashes `parts` one after another, each with its length before it, under a name for the purpose.
#[must_use]
pub fn hash128(purpose: &str, parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[u8::try_from(purpose.len()).unwrap_or(u8::MAX)]);
    hasher.update(purpose.as_bytes());
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let mut out = [0; 16];
    hasher.finalize_xof().fill(&mut out);
    out
}

/// The next epoch's or the current epoch's name: a number that grows by one at each promotion, and a random name
/// that tells two promotions with one number apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Epoch {
    /// Grows by one at each promotion; the first is 1.
    pub number: u64,
    /// Random.
    pub name: EpochName,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_back_and_anything_else_is_refused() {
        let id = OriginId([0xab; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{id}\""));
        assert_eq!(serde_json::from_str::<OriginId>(&format!("\"{id}\"")).unwrap(), id);
        for bad in [
            "",
            "ab",
            &"AB".repeat(16),
            &"zz".repeat(16),
            &"ab".repeat(17),
            &"é".repeat(16),
            "+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1",
        ] {
            assert_eq!(bad.parse::<OriginId>(), Err(InvalidId), "{bad}");
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(hash128("t", &[b"ab", b"c"]), hash128("t", &[b"a", b"bc"]));
        assert_ne!(hash128("t", &[b"a"]), hash128("u", &[b"a"]));
    }
}
