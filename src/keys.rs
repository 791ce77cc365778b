//! TO BE REPLACED AT MERGE by the store's keys: only the signatures that app and cli use.
use std::path::Path;
use std::sync::Arc;

use crate::audit::StoreError;

#[derive(Debug, Clone)]
pub struct ApiKey {
    pub id: String,
    pub name: Arc<str>,
    pub sha256: [u8; 32],
    pub roles: Vec<String>,
    pub flows: Option<Vec<String>>,
    pub created_us: i64,
    pub revoked_us: Option<i64>,
}

#[derive(Debug)]
pub struct Keys;

#[expect(clippy::unused_async, reason = "signatures only; replaced at merge")]
impl Keys {
    pub async fn open(_data: &Path, _database_url: Option<&str>) -> Result<Self, StoreError> {
        Ok(Self)
    }
    /// Every key, revoked ones too, oldest first.
    pub async fn all(&self) -> Result<Vec<ApiKey>, StoreError> {
        Ok(vec![])
    }
    pub async fn create(&self, _key: ApiKey) -> Result<(), StoreError> {
        Err(StoreError::Closed)
    }
    /// Revokes by id or name; gives the ids that were revoked now.
    pub async fn revoke(&self, _id_or_name: &str, _at_us: i64) -> Result<Vec<String>, StoreError> {
        Ok(vec![])
    }
}
