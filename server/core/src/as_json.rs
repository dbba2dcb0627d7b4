//! Types whose form is made for JSON (flattened, with fields left out), inside an encoding that knows no such thing:
//! kept as the bytes of their JSON. For `#[serde(with = "crate::as_json")]`.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

pub(crate) fn serialize<T: Serialize, S: Serializer>(value: &Arc<T>, serializer: S) -> Result<S::Ok, S::Error> {
    serde_json::to_vec(&**value).map_err(serde::ser::Error::custom)?.serialize(serializer)
}

pub(crate) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<T>, D::Error> {
    let json = Vec::<u8>::deserialize(deserializer)?;
    serde_json::from_slice(&json).map(Arc::new).map_err(serde::de::Error::custom)
}
